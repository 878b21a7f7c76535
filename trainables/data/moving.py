"""Clips of a digit that moves over a canvas: the class is the direction, which no frame alone shows anything of.

Derived from scikit-learn's digits, and to be called so wherever a figure of them is quoted. A part of the clips shows
digits of the same part of the digits alone. The canvas has no border: what leaves it on one side comes in on the other,
and a clip begins anywhere as often. So every frame of every class has the same distribution, and a network that sees
one frame is at chance, an eighth.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainables.data import digits
from trainables.decoding import Decoding
from trainables.splits import DataError, Images, Splits, from_parts
from trainables.survey import Survey

DIRECTIONS = {
    "east": (0, 1),
    "north": (-1, 0),
    "north-east": (-1, 1),
    "north-west": (-1, -1),
    "south": (1, 0),
    "south-east": (1, 1),
    "south-west": (1, -1),
    "west": (0, -1),
}
"""Rows and columns of a step, in pixels where ``data.step`` is 1."""
DIGIT = 8
"""Side of a digit, in pixels."""
MOST_SIDE, MOST_FRAMES = 128, 64


def load(
    *, images: int = 2_000, side: int = 16, frames: int = 8, step: int = 1, noise: float = 0.0, split_seed: int = 0
) -> Splits:
    """Make clips: ``images`` to train on, and a quarter as many for search-validation and test each.

    An image is a clip: its channels are its frames, in the order of time.

    Args:
        images: training clips.
        side: of a frame, in pixels.
        frames: of a clip.
        step: pixels that a digit moves from frame to frame, straight or in both directions.
        noise: standard deviation of noise of each pixel of each frame, in [0, 1].
        split_seed: of the digits' split and of the clips.

    Raises:
        DataError: a keyword out of range.
    """
    if images < 64 or not DIGIT <= side <= MOST_SIDE or not 1 <= frames <= MOST_FRAMES:
        raise DataError(
            f"moving digits are 64 clips or more, with a side of {DIGIT} to {MOST_SIDE} pixels and 1 to {MOST_FRAMES} "
            f"frames; given data.images {images}, side {side}, frames {frames}"
        )
    if not 1 <= step < side / 2 or not 0 <= noise <= 1:
        raise DataError(
            f"data.step is 1 or more pixels and below half the side, so that a direction is not its opposite, and "
            f"data.noise is in [0, 1]; given step {step}, side {side} and noise {noise}"
        )
    of_digits = digits.load(split_seed=split_seed)
    counts = {"train": images, "validation": images // 4, "test": images // 4}
    parts: dict[str, Images] = {}
    for number, (part, count) in enumerate(counts.items()):
        rng, pool = np.random.default_rng([split_seed, number]), getattr(of_digits, part)
        label_N = rng.permutation(np.arange(count) % len(DIRECTIONS))
        digit_NHW = pool.image_NCHW[rng.integers(len(pool), size=count)][:, 0]
        clip_NTHW = _moved(digit_NHW, label_N, rng, side=side, frames=frames, step=step)
        parts[part] = replace(pool, image_NCHW=_noisy(clip_NTHW, noise, rng), label_N=label_N)
    said = Survey(remarks=("clips are derived: scikit-learn's digits, moved",))
    decoding = Decoding(side=side, channels=1, frames=frames)
    return from_parts(
        parts["train"], parts["validation"], parts["test"], tuple(DIRECTIONS), decoding=decoding, survey=said
    )


def _moved(
    digit_NHW: NDArray[np.uint8],
    label_N: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    side: int,
    frames: int,
    step: int,
) -> NDArray[np.uint8]:
    """Clips (N, frames, side, side) of digits that begin anywhere."""
    start_N2 = rng.integers(side, size=(len(digit_NHW), 2))
    move_K2 = step * np.array(list(DIRECTIONS.values()))
    corner_NT2 = start_N2[:, None] + np.arange(frames)[:, None] * move_K2[label_N][:, None]
    row_NTH, column_NTH = ((corner_NT2[:, :, axis, None] + np.arange(DIGIT)) % side for axis in (0, 1))
    clip_NTHW = np.zeros((len(digit_NHW), frames, side, side), dtype=np.uint8)
    clip_N, time_T = np.arange(len(digit_NHW))[:, None, None, None], np.arange(frames)[:, None, None]
    clip_NTHW[clip_N, time_T, row_NTH[..., None], column_NTH[:, :, None]] = digit_NHW[:, None]
    return clip_NTHW


def _noisy(clip_NTHW: NDArray[np.uint8], noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    if not noise:
        return clip_NTHW
    spread_NTHW = rng.normal(scale=255 * noise, size=clip_NTHW.shape)
    return np.round(clip_NTHW + spread_NTHW).clip(0, 255).astype(np.uint8)
