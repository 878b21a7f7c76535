"""Tiles of a stereo pair."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.miniatures import stereo as miniature
from trainables.data import stereo
from trainables.splits import DataError


def test_a_group_is_one_place_from_two_sides(tmp_path: Path) -> None:
    """Where a tile lies in one plane, its pair is what lies so many pixels beside it in the same picture."""
    splits = stereo.load(**miniature.write(tmp_path))
    left_HWC = np.asarray(Image.open(tmp_path / stereo.LEFT))
    images = splits.train
    assert images.fields["frame"].tolist() == [0, 1] * (len(images) // 2)
    shift, found = round(float(np.median(miniature.disparities()))), 0
    windows = {
        left_HWC[y : y + 12, x : x + 12].tobytes(): (y, x)
        for y in range(miniature.HEIGHT - 11)
        for x in range(miniature.WIDTH - 11)
    }
    for row in range(0, len(images), 2):
        (left_CHW, right_CHW), (disparity, same) = (
            images.image_NCHW[row : row + 2],
            images.fields["attribute"][row : row + 2, 0],
        )
        y, x = windows[left_CHW.transpose(1, 2, 0).tobytes()]
        own = miniature.disparities()[y : y + 12]
        assert disparity == same == np.median(own)
        if len(set(own.tolist())) == 1:
            assert windows[right_CHW.transpose(1, 2, 0).tobytes()] == (y, x - shift + own[0])
            found += 1
        for line, by in enumerate(own.astype(int)):  # row by row it holds everywhere
            assert np.array_equal(right_CHW[:, line], left_HWC[y + line, x - shift + by : x - shift + by + 12].T)
    assert len(set(images.fields["group"].tolist())) == len(images) // 2


def test_parts_share_no_column_and_classes_are_thirds_of_the_depth(tmp_path: Path) -> None:
    splits = stereo.load(**miniature.write(tmp_path))
    every = np.concatenate([part.fields["attribute"][:, 0] for part in (splits.train, splits.validation, splits.test)])
    label_N = np.concatenate([part.label_N for part in (splits.train, splits.validation, splits.test)])
    assert every[label_N == 0].max() <= every[label_N == 1].min() <= every[label_N == 2].min()
    assert len(splits.train) == 3 * len(splits.test) == 3 * len(splits.validation)


def test_places_that_were_not_measured_are_left_out(tmp_path: Path) -> None:
    keywords = miniature.write(tmp_path)
    disparity_HW = np.repeat(miniature.disparities()[:, None], miniature.WIDTH, axis=1)
    disparity_HW[:48, ::2] = np.inf  # half of each tile there is known, which will do
    disparity_HW[:24] = np.inf
    np.savez(tmp_path / stereo.DISPARITY, disparity_HW)
    assert stereo.load(**keywords).train.fields["attribute"].min() >= miniature.disparities()[18]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tile": 60}, r"data.tile is 8 to 18 pixels and data.step 1 to the tile, given tile 60 and step 6"),
        ({"step": 0}, "given tile 12 and step 0"),
        ({"path": "/nowhere"}, "'/nowhere' has no motorcycle_left.png; give the folder"),
    ],
)
def test_what_cannot_be_cut_is_one_sentence(change: dict[str, object], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=sentence):
        stereo.load(**{**miniature.write(tmp_path), **change})


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stereo, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="the package scikit-image, which is not installed; install it, or give"):
        stereo.load()
