"""Digits pasted at known places."""

import numpy as np
import pytest

from trainables.data import canvas, digits
from trainables.splits import DataError

SMALL = {"images": 80, "side": 32}


def test_fields_say_what_is_where() -> None:
    images = canvas.load(**SMALL, most=3).train
    segment_NHW, shown_NK = images.fields["segments"], images.fields["labels"]
    for row in range(len(images)):
        at_places = set(np.unique(segment_NHW[row]).tolist()) - {10}
        assert at_places <= set(np.flatnonzero(shown_NK[row]).tolist())
        assert shown_NK[row, images.label_N[row]]
        assert 1 <= shown_NK[row].sum() <= 3
    ink_NHW = images.image_NCHW[:][:, 0]
    assert ((segment_NHW < 10) <= (ink_NHW >= canvas.INK)).all()


def test_the_box_holds_the_digit_that_is_the_class() -> None:
    images = canvas.load(**SMALL, most=1).train
    left_N, top_N, right_N, bottom_N = np.round(images.fields["box"] * 32).astype(int).T
    for row, segment_HW in enumerate(images.fields["segments"]):
        assert set(np.unique(segment_HW).tolist()) == {images.label_N[row], 10}
        inside = segment_HW[top_N[row] : bottom_N[row], left_N[row] : right_N[row]]
        assert (inside < 10).sum() == (segment_HW < 10).sum() > 0


def test_parts_show_digits_of_their_own_part() -> None:
    splits, of_digits = canvas.load(**SMALL, most=1, smallest=0.25, largest=0.25), digits.load()
    for part in ("train", "test"):
        images, pool = getattr(splits, part), getattr(of_digits, part).image_NCHW[:]
        known = {one.tobytes() for one in pool}
        corner_N2 = np.round(images.fields["box"][:, [1, 0]] * 32).astype(int)
        shown = [
            one[0, top : top + 8, left : left + 8].tobytes()
            for one, (top, left) in zip(images.image_NCHW[:], corner_N2, strict=True)
        ]
        assert set(shown) <= known


@pytest.mark.parametrize("keywords", [{"images": 8}, {"fewest": 3, "most": 2}, {"side": 8}, {"smallest": 0.9}])
def test_canvases_that_cannot_be_are_one_sentence(keywords: dict[str, float]) -> None:
    with pytest.raises(DataError, match=r"canvases have 40 images|are shares, 0\.2 to 1"):
        canvas.load(**keywords)  # type: ignore[arg-type]
