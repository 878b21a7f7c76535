"""Canvases: several real digits pasted at known places and sizes, so that what is where is exactly known.

Derived from scikit-learn's digits, and to be called so wherever a figure of them is quoted. A part of the canvases
shows digits of the same part of the digits alone. Fields: ``labels`` (all digits shown), ``segments`` (which digit each
pixel belongs to), ``box`` (of the digit that is the class: the largest one).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.data import digits
from trainables.splits import DataError, Images, Splits, from_parts
from trainables.survey import Survey

PLACES = 20
"""That are drawn for a digit; it goes where it covers the least of those before it."""
INK = 64
"""Level from which on a pixel belongs to a digit."""
LEAST_SIDE, MOST_SIDE = 16, 256


def load(
    *,
    images: int = 2_000,
    side: int = 32,
    fewest: int = 1,
    most: int = 3,
    smallest: float = 0.3,
    largest: float = 0.6,
    split_seed: int = 0,
) -> Splits:
    """Paste canvases: ``images`` to train on, and a quarter as many for search-validation and test each.

    Args:
        images: training canvases.
        side: of a canvas, in pixels.
        fewest, most: digits of a canvas, each number as often.
        smallest, largest: side of a digit as a share of the canvas's, any between as often.
        split_seed: of the digits' split and of the canvases.

    Raises:
        DataError: a keyword out of range.
    """
    if not LEAST_SIDE <= side <= MOST_SIDE or not 1 <= fewest <= most <= 9 or images < 40:
        raise DataError(
            f"canvases have 40 images or more, a side of {LEAST_SIDE} to {MOST_SIDE}, and 1 to 9 digits, fewest before "
            f"most; given data.images {images}, side {side}, fewest {fewest}, most {most}"
        )
    if not 0.2 <= smallest <= largest <= 1.0:
        raise DataError(f"data.smallest and data.largest are shares, 0.2 to 1, given {smallest} and {largest}")
    of_digits = digits.load(split_seed=split_seed)
    knobs = _Knobs(side=side, fewest=fewest, most=most, smallest=smallest, largest=largest)
    counts = {"train": images, "validation": images // 4, "test": images // 4}
    parts = {
        part: _pasted(getattr(of_digits, part), count, knobs, np.random.default_rng([split_seed, number]))
        for number, (part, count) in enumerate(counts.items())
    }
    said = Survey(remarks=("canvases are derived: scikit-learn's digits, pasted",))
    return from_parts(parts["train"], parts["validation"], parts["test"], of_digits.classes, survey=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Knobs:
    side: int
    fewest: int
    most: int
    smallest: float
    largest: float


def _pasted(pool: Images, count: int, knobs: _Knobs, rng: np.random.Generator) -> Images:
    """Canvases of digits of a pool; their first digits have every class in turn, so that each is there."""
    classes = int(pool.label_N.max()) + 1
    pixel_NHW, side = pool.image_NCHW[:][:, 0], knobs.side
    of_class = [np.flatnonzero(pool.label_N == label) for label in range(classes)]
    image_NHW = np.zeros((count, side, side), dtype=np.uint8)
    segment_NHW = np.full((count, side, side), classes, dtype=np.int64)
    shown_NK, box_N4 = np.zeros((count, classes), dtype=bool), np.empty((count, 4), dtype=np.float32)
    label_N = rng.permutation(np.arange(count) % classes)
    for row in range(count):
        size_D = _sizes(knobs, rng)
        number_D = [int(rng.choice(of_class[label_N[row]])), *rng.integers(len(pixel_NHW), size=len(size_D) - 1)]
        for size, number in zip(size_D, number_D, strict=True):
            ink_HW = np.asarray(Image.fromarray(pixel_NHW[number]).resize((size, size), Image.Resampling.BILINEAR))
            top, left = _place(segment_NHW[row], ink_HW, classes, rng)
            here = (row, slice(top, top + size), slice(left, left + size))
            image_NHW[here] = np.maximum(image_NHW[here], ink_HW)
            segment_NHW[here][ink_HW >= INK] = pool.label_N[number]
            if not shown_NK[row].any():
                box_N4[row] = np.array([left, top, left + size, top + size]) / side
            shown_NK[row, pool.label_N[number]] = True
    fields = {"labels": shown_NK, "segments": segment_NHW, "box": box_N4}
    return replace(pool, image_NCHW=image_NHW[:, None], label_N=label_N, fields=fields)


def _sizes(knobs: _Knobs, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sides of the digits of a canvas in pixels, the largest first."""
    count = int(rng.integers(knobs.fewest, knobs.most + 1))
    size_D = np.round(rng.uniform(knobs.smallest, knobs.largest, count) * knobs.side).astype(np.int64)
    return np.sort(size_D)[::-1]


def _place(
    segment_HW: NDArray[np.int64], ink_HW: NDArray[np.uint8], nothing: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Top and left of a digit, where the fewest of its pixels lie on others'."""
    size, side = len(ink_HW), len(segment_HW)
    corner_P2 = rng.integers(side - size + 1, size=(PLACES, 2))
    covered = [
        int(((segment_HW[top : top + size, left : left + size] != nothing) & (ink_HW >= INK)).sum())
        for top, left in corner_P2
    ]
    top, left = corner_P2[int(np.argmin(covered))].tolist()
    return top, left
