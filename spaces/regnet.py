"""RegNets (Radosavovic et al., 2020, https://arxiv.org/abs/2003.13678) for large images.

Contains RegNetX and RegNetY of 200 million to 4 billion macs at 224 pixels. The recipe is that of space ``resnet_rs``,
SGD in batches of 256; references have it without dropout, smoothing and average, which is not the published schedule.
"""

from collections.abc import Iterator

from spaces import resnet_rs
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Integer, Value
from spaces.reference import Reference
from spaces.space import Space

PUBLISHED: dict[str, tuple[int, int, float, float, int, float]] = {
    "X-200MF": (13, 24, 36.44, 2.49, 8, 0.0),
    "X-400MF": (22, 24, 24.48, 2.54, 16, 0.0),
    "X-600MF": (16, 48, 36.97, 2.24, 24, 0.0),
    "X-800MF": (16, 56, 35.73, 2.28, 16, 0.0),
    "X-1.6GF": (18, 80, 34.01, 2.25, 24, 0.0),
    "X-3.2GF": (25, 88, 26.31, 2.25, 48, 0.0),
    "X-4.0GF": (23, 96, 38.65, 2.43, 40, 0.0),
    "Y-200MF": (13, 24, 36.44, 2.49, 8, 0.25),
    "Y-400MF": (16, 48, 27.89, 2.09, 8, 0.25),
    "Y-600MF": (15, 48, 32.54, 2.32, 16, 0.25),
    "Y-800MF": (14, 56, 38.84, 2.4, 16, 0.25),
    "Y-1.6GF": (27, 48, 20.71, 2.65, 24, 0.25),
    "Y-3.2GF": (21, 80, 42.63, 2.66, 24, 0.25),
    "Y-4.0GF": (22, 96, 31.41, 2.24, 64, 0.25),
}
"""Depth, w0, slope, multiplier, group width and squeeze-excite by the published name (timm's configurations)."""
NUMBERS = ("depth", "w0", "slope", "multiplier", "group_width", "squeeze_excite")


def space() -> Space:
    """The space: 8e5 architectures x 9e5 recipes."""
    architecture: dict[str, Dimension] = {"resolution": Integer(low=160, high=256, step=32)}
    for number, values in zip(NUMBERS, zip(*PUBLISHED.values(), strict=True), strict=True):
        architecture[number] = Choice(values=tuple(sorted(set(values))), ordered=True)
    return Space(name="regnet", backbone="regnet", architecture=architecture, recipe=resnet_rs.space().recipe)


def references() -> Iterator[Reference]:
    """The published networks, smallest first in each kind."""
    for size, numbers in PUBLISHED.items():
        architecture: dict[str, Value] = {"resolution": 224, **dict(zip(NUMBERS, numbers, strict=True))}
        yield Reference(
            name=f"RegNet{size}",
            family=f"RegNet{size[0]}, published",
            candidate=Candidate(
                backbone="regnet",
                objective="supervised",
                architecture=architecture,
                recipe={**resnet_rs.RECIPE, "dropout.rate": 0.0, "label_smoothing.rate": 0.0, "ema.decay": 0.0},
            ),
        )
