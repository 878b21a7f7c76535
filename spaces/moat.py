"""MOAT (Yang et al., 2023, https://arxiv.org/abs/2210.01820): inverted residuals, and attention after the late ones.

Contains the published tiny-MOAT-0 to 3 and MOAT-0 to 4. Learning rates are for batches of 256 with AdamW.
"""

from collections.abc import Iterator

from spaces._transformers import PUBLISHED_RECIPE, recipe
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Integer, Value
from spaces.reference import Reference
from spaces.space import Space

PUBLISHED: dict[str, tuple[int, int, tuple[int, ...], int, float]] = {
    "tiny-MOAT-0": (32, 32, (2, 3, 7, 2), 256, 0.0),
    "tiny-MOAT-1": (40, 40, (2, 3, 7, 2), 256, 0.0),
    "tiny-MOAT-2": (56, 56, (2, 3, 7, 2), 256, 0.0),
    "tiny-MOAT-3": (80, 80, (2, 3, 7, 2), 256, 0.1),
    "MOAT-0": (64, 96, (2, 3, 7, 2), 224, 0.2),
    "MOAT-1": (64, 96, (2, 6, 14, 2), 224, 0.3),
    "MOAT-2": (128, 128, (2, 6, 14, 2), 224, 0.5),
    "MOAT-3": (160, 160, (2, 12, 28, 2), 224, 0.5),
    "MOAT-4": (256, 256, (2, 12, 28, 2), 224, 0.5),
}
"""Width of the stem and of the first stage, blocks of the stages, resolution, and rate of stochastic depth, by the
published name. The rates are ours, as are those of others' networks of such sizes."""


def space() -> Space:
    """The space: 5e8 architectures x 1e6 recipes."""
    widths = (32, 40, 56, 64, 80, 96, 128, 160, 256)
    depths = ((1, 2, 3), (2, 3, 6, 12), (4, 7, 14, 28), (1, 2, 3))
    # The last two maps have up to 16 and 8 positions a side, so their largest window is the whole map.
    windows = ((0,), (0,), (0, 7, 16), (0, 8))  # widths of the first two need not be of whole heads
    architecture: dict[str, Dimension] = {
        "resolution": Integer(low=160, high=256, step=32),
        "stem_stride": Choice(values=(2,)),
        "stem_width": Choice(values=(32, 40, 56, 64, 80, 128, 160, 256), ordered=True),
        "expansion": Choice(values=(2, 3, 4), ordered=True),
        "positions": Choice(values=("bias", "none")),
    }
    for stage in range(4):
        architecture |= {
            f"width.{stage}": Choice(values=tuple(width * 2**stage for width in widths), ordered=True),
            f"depth.{stage}": Choice(values=depths[stage], ordered=True),
            f"window.{stage}": Choice(values=windows[stage], ordered=True),
        }
    return Space(name="moat", backbone="moat", architecture=architecture, recipe=recipe(stochastic_depth=0.5))


def references() -> Iterator[Reference]:
    """The published networks, smallest first."""
    for name, (stem_width, width, depths, resolution, stochastic_depth) in PUBLISHED.items():
        architecture: dict[str, Value] = {
            "resolution": resolution,
            "stem_stride": 2,
            "stem_width": stem_width,
            "expansion": 4,
            "positions": "bias",
        }
        for stage, (depth, window) in enumerate(zip(depths, (0, 0, 16, 8), strict=True)):
            architecture |= {f"width.{stage}": width * 2**stage, f"depth.{stage}": depth, f"window.{stage}": window}
        yield Reference(
            name=name,
            family="MOAT, published",
            candidate=Candidate(
                backbone="moat",
                objective="supervised",
                architecture=architecture,
                recipe={**PUBLISHED_RECIPE, "stochastic_depth.rate": stochastic_depth},
            ),
        )
