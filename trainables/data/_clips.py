"""Clips of the frames of an object: ``data.clips``, a keyword of every source whose images have groups and frames."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.decoding import windows
from trainables.photographs import Photographs
from trainables.splits import DataError, Images, Splits, from_parts
from trainables.stored import Stored
from trainables.survey import Survey

KEYS = {"frames", "step"}
MOST_FRAMES = 64
OF_AN_IMAGE = ("box", "pose", "frame", "pair", "between", "other", "segments", "classmap")
"""Fields that are of one frame, which no clip has."""


def with_clips(splits: Splits, asked: Any) -> Splits:
    """Splits whose images are clips: the channels of successive frames of a group, one frame's after another's.

    Clips of a group are cut by ``trainables.decoding.windows``. A clip has the fields of its first frame, but for those
    of a place in it.

    Args:
        splits: of images with the fields ``group`` and ``frame``.
        asked: ``{frames: 8}``, perhaps with ``step: 2``, which takes every second frame.

    Raises:
        DataError: it is not so, the images lack a field or are kept whole, two frames of a group have one number or
            those of a clip two classes, or a part has no clip of a class.
    """
    frames, step = _checked(asked)
    parts: dict[str, Images] = {}
    remarks: list[str] = []
    for name, images in (("train", splits.train), ("validation", splits.validation), ("test", splits.test)):
        row_MT, short = _rows(images, frames, step, name)
        parts[name] = _stacked(images, row_MT)
        if short:
            remarks.append(f"{short} groups of {name} have fewer than {frames} frames {step} apart, and are left out")
        absent = sorted(set(range(len(splits.classes))) - set(parts[name].label_N.tolist()))
        if absent:
            raise DataError(
                f"data.clips of {frames} frames leave {name} without class '{splits.classes[absent[0]]}'; ask for "
                "shorter clips, or add objects of that class"
            )
    survey = splits.survey or Survey()
    survey = replace(survey, remarks=(*survey.remarks, *remarks))
    decoding = replace(splits.decoding, frames=frames, step=step)
    clips = from_parts(
        parts["train"], parts["validation"], parts["test"], splits.classes, decoding=decoding, survey=survey
    )
    return replace(clips, captions=splits.captions, slices=splits.slices)


def _checked(asked: Any) -> tuple[int, int]:
    if isinstance(asked, dict) and "frames" in asked and set(asked) <= KEYS:
        frames, step = asked["frames"], asked.get("step", 1)
        whole = not any(isinstance(value, bool) or not isinstance(value, int) for value in (frames, step))
        if whole and 2 <= frames <= MOST_FRAMES and step >= 1:
            return frames, step
    raise DataError(
        f"data.clips is {str(asked)[:60]!r}; it is to be such as {{frames: 8, step: 1}}, 2 to {MOST_FRAMES} frames, "
        "every step-th of an object"
    )


def _rows(images: Images, frames: int, step: int, part: str) -> tuple[NDArray[np.int64], int]:
    """The rows of the frames of each clip (M, frames), and how many groups are too short for one."""
    absent = [name for name in ("group", "frame") if name not in images.fields]
    if absent:
        raise DataError(
            f"data.clips needs images with the fields group and frame, and the {part} images have no {absent[0]}; a "
            "manifest has columns of these names, and layout mvimgnet gives both"
        )
    if isinstance(images.image_NCHW, Photographs):
        raise DataError("data.clips are made of squares; leave data.stored at 0")
    clips, short = [], 0
    for row_F in _objects(images):
        found = [row_F[window] for window in windows(len(row_F), frames, step)]
        short += not found
        clips += found
    row_MT = np.array(clips, dtype=np.int64).reshape(-1, frames)
    mixed_M = (images.label_N[row_MT] != images.label_N[row_MT[:, :1]]).any(1)
    if mixed_M.any():
        group = images.fields["group"][row_MT[mixed_M.argmax(), 0]]
        raise DataError(f"data.clips: frames of group number {group} have several classes; a clip has one")
    return row_MT, short


def _objects(images: Images) -> Iterator[NDArray[np.int64]]:
    """Rows of each group in the order of their frames; images of no known group or frame are in none."""
    group_N, frame_N = images.fields["group"], images.fields["frame"]
    order_N = np.lexsort((frame_N, group_N))
    known = [row for row in order_N.tolist() if group_N[row] >= 0 and frame_N[row] >= 0]
    for group, rows in groupby(known, key=lambda row: int(group_N[row])):
        row_F = np.array(list(rows))
        twice = [int(one) for one, next_one in pairwise(frame_N[row_F].tolist()) if one == next_one]
        if twice:
            raise DataError(f"data.clips: group number {group} has frame {twice[0]} twice; number its frames")
        yield row_F


def _stacked(images: Images, row_MT: NDArray[np.int64]) -> Images:
    """The clips, whose frames stay where they are until they are read."""
    first_M, source = row_MT[:, 0], images.image_NCHW
    assert not isinstance(source, Photographs)
    own = source if isinstance(source, np.ndarray) else source.image_MCHW
    row_MT = row_MT if isinstance(source, np.ndarray) else source.row_N[row_MT]
    fields = {name: value_N[first_M] for name, value_N in images.fields.items() if name not in OF_AN_IMAGE}
    return Images(image_NCHW=Stored(own, row_MT), label_N=images.label_N[first_M], fields=fields)
