"""Clips: of a moving digit, and of the frames of objects."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from search.setting.checks.data import check_frames
from search.setting.config import ConfigError, parse
from search.setting.setting import prepare
from spaces import clips as space_of_clips
from trainables.data import digits, moving
from trainables.data._clips import with_clips
from trainables.splits import DataError, Images, Splits, from_parts
from trainables.stored import Stored

SMALL = {"images": 512, "side": 12, "frames": 5}

# moving --------------------------------------------------------------------------------------------------------------


def test_a_digit_moves_as_its_class_says_and_comes_in_again() -> None:
    images = moving.load(**SMALL, step=2).train
    clip_NTHW = images.image_NCHW[:]
    for clip_THW, label in zip(clip_NTHW, images.label_N, strict=True):
        down, right = list(moving.DIRECTIONS.values())[label]
        for before_HW, after_HW in pairwise(clip_THW):
            assert np.array_equal(np.roll(before_HW, (2 * down, 2 * right), axis=(0, 1)), after_HW)


def test_every_frame_shows_whole_digits_of_its_own_part() -> None:
    splits, of_digits = moving.load(**SMALL), digits.load()
    for part in ("train", "validation", "test"):
        sums = {int(one.sum()) for one in getattr(of_digits, part).image_NCHW[:]}
        shown_NT = getattr(splits, part).image_NCHW[:].sum(axis=(2, 3), dtype=np.int64)
        assert (shown_NT == shown_NT[:, :1]).all()
        assert set(shown_NT[:, 0].tolist()) <= sums


def test_no_frame_says_where_a_digit_goes() -> None:
    """Where a digit begins is drawn without a look at its class, and a step wraps, so that no place is rarer later."""
    images = moving.load(images=8_000, side=8, frames=3).train
    for frame_NHW in images.image_NCHW[:].transpose(1, 0, 2, 3).astype(np.float64):
        mean_KHW = np.stack([frame_NHW[images.label_N == label].mean(axis=0) for label in range(8)])
        deviation = frame_NHW.std() / np.sqrt(1000)
        assert np.abs(mean_KHW - frame_NHW.mean()).max() < 5 * deviation


def test_noise_is_of_each_frame() -> None:
    still, noisy = moving.load(**SMALL), moving.load(**SMALL, noise=0.1)
    difference_NTHW = noisy.train.image_NCHW[:].astype(int) - still.train.image_NCHW[:]
    assert np.array_equal(still.train.label_N, noisy.train.label_N)
    assert not np.array_equal(difference_NTHW[:, 0], difference_NTHW[:, 1])


@pytest.mark.parametrize("keywords", [{"images": 8}, {"frames": 0}, {"side": 4}, {"step": 8}, {"noise": 2.0}])
def test_clips_that_cannot_be_are_one_sentence(keywords: Mapping[str, Any]) -> None:
    with pytest.raises(DataError, match=r"moving digits are 64 clips or more|data.step is 1 or more pixels"):
        moving.load(**keywords)


# of the frames of objects --------------------------------------------------------------------------------------------


def filmed(frames: int = 7, objects: int = 4) -> Splits:
    """Objects of two classes in each part; a frame's pixels are its object's number and its own."""

    def part(first: int) -> Images:
        group_N = np.repeat(np.arange(first, first + objects), frames)
        frame_N = np.tile(np.arange(frames), objects)
        image_NCHW = np.broadcast_to((10 * group_N + frame_N)[:, None, None, None], (len(group_N), 3, 4, 4))
        order_N = np.random.default_rng(first).permutation(len(group_N))
        images = Images(
            image_NCHW=image_NCHW.astype(np.uint8),
            label_N=group_N % 2,
            fields={
                "group": group_N,
                "frame": frame_N,
                "slice": group_N,
                "box": np.zeros((len(group_N), 4), dtype=np.float32),
            },
        )
        return images.take(order_N)

    return from_parts(part(0), part(objects), part(2 * objects), ("a", "b"))


@pytest.mark.parametrize(
    ("step", "expected"), [(1, [[0, 1, 2], [3, 4, 5]]), (2, [[0, 2, 4], [1, 3, 5]]), (3, [[0, 3, 6]])]
)
def test_clips_are_successive_frames_of_one_object(step: int, expected: list[list[int]]) -> None:
    clips = with_clips(filmed(), {"frames": 3, "step": step})
    assert clips.channels == 9
    pixel_MT = clips.train.image_NCHW[:][:, ::3, 0, 0]
    assert (clips.train.image_NCHW[:][:, 1] == clips.train.image_NCHW[:][:, 0]).all()  # colours of a frame together
    assert pixel_MT.tolist() == [[10 * group + frame for frame in row] for group in range(4) for row in expected]
    assert (pixel_MT[:, 0] // 10 % 2 == clips.train.label_N).all()
    assert clips.train.fields["slice"].tolist() == (pixel_MT[:, 0] // 10).tolist()
    assert set(clips.train.fields) == {"group", "slice"}


def test_clips_stay_where_their_frames_are() -> None:
    splits = filmed()
    mapped = {
        name: replace(images, image_NCHW=Stored(images.image_NCHW, np.arange(len(images))))  # type: ignore[arg-type]
        for name, images in (("train", splits.train), ("validation", splits.validation), ("test", splits.test))
    }
    clips, same = (with_clips(one, {"frames": 3}) for one in (replace(splits, **mapped), splits))
    stored = clips.train.image_NCHW
    assert isinstance(stored, Stored)
    assert stored.image_MCHW is splits.train.image_NCHW
    assert np.array_equal(stored[:], same.train.image_NCHW[:])
    assert np.array_equal(stored.take(np.array([2, 0]))[1], stored[0])
    assert stored.take(np.array([2])).shape == (1, 9, 4, 4)
    assert clips.mean == same.mean


def test_objects_with_too_few_frames_are_left_out_and_counted() -> None:
    splits = filmed()
    keep_N = (splits.train.fields["group"] != 0) | (splits.train.fields["frame"] < 2)
    clips = with_clips(replace(splits, train=splits.train.take(np.flatnonzero(keep_N))), {"frames": 3})
    assert set(clips.train.fields["group"].tolist()) == {1, 2, 3}
    assert clips.survey is not None
    assert clips.survey.remarks == ("1 groups of train have fewer than 3 frames 1 apart, and are left out",)


def changed(images: Images, **fields: Any) -> Images:
    return replace(images, fields={**images.fields, **fields})


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (8, r"data.clips is '8'; it is to be such as \{frames: 8, step: 1\}"),
        ({"frames": 1}, "2 to 64 frames"),
        ({"frames": 3, "gap": 1}, "it is to be such as"),
        ({"frames": 8}, "data.clips of 8 frames leave train without class 'a'"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence(asked: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        with_clips(filmed(), asked)


def test_images_that_are_no_frames_are_refused() -> None:
    with pytest.raises(DataError, match="the train images have no group; a manifest has columns of these names"):
        with_clips(digits.load(), {"frames": 3})


def test_frames_that_do_not_make_a_clip_are_named() -> None:
    splits = filmed()
    with pytest.raises(DataError, match="group number 0 has frame 3 twice"):
        with_clips(replace(splits, train=changed(splits.train, frame=np.full(28, 3))), {"frames": 3})
    with pytest.raises(DataError, match="frames of group number 0 have several classes"):
        with_clips(
            replace(splits, train=replace(splits.train, label_N=splits.train.fields["frame"] % 2)), {"frames": 3}
        )


# in a search ---------------------------------------------------------------------------------------------------------


def test_a_network_of_more_frames_than_the_data_has_is_refused_before_a_trial() -> None:
    with pytest.raises(ConfigError, match=r"offers architecture.frames 8, which does not divide the 1 channel\(s\)"):
        prepare(parse("name: a\nspace: {name: clips}"))
    check_frames(space_of_clips.space(), moving.load(images=64, frames=8))
