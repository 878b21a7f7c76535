"""UniFormer (Li et al., 2022, https://arxiv.org/abs/2201.09450): local blocks, then attention, in four stages.

Contains the published S, S with convolutions for patches (S-plus), and B at 224 pixels. Learning rates are for batches
of 256 with AdamW.
"""

from collections.abc import Iterator

from spaces._transformers import PUBLISHED_RECIPE, recipe
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Integer, Value
from spaces.reference import Reference
from spaces.space import Space

PUBLISHED: dict[str, tuple[tuple[int, ...], str, float]] = {
    "S": ((3, 4, 8, 3), "patch", 0.1),
    "S-plus": ((3, 5, 9, 3), "conv", 0.1),
    "B": ((5, 8, 20, 7), "patch", 0.3),
}
"""Blocks of the stages, stem, and the rate of stochastic depth, by the published name."""


def space() -> Space:
    """The space: 4e7 architectures x 6e5 recipes."""
    architecture: dict[str, Dimension] = {
        "resolution": Integer(low=160, high=256, step=32),
        "stem": Choice(values=("patch", "conv")),
        "stem_stride": Choice(values=(4,)),
        "switch": Choice(values=(1, 2, 3, 4), ordered=True),
        "local_kernel": Choice(values=(3, 5, 7), ordered=True),
        "head_width": Choice(values=(32, 64), ordered=True),
        "mlp_ratio": Choice(values=(2.0, 3.0, 4.0), ordered=True),
    }
    widths = ((64, 128), (64, 128, 192), (192, 256, 320, 384), (320, 384, 448, 512, 576))
    depths = ((1, 2, 3, 5), (2, 3, 4, 5, 8), (4, 6, 8, 9, 14, 20), (1, 2, 3, 5, 7))
    for stage in range(4):
        architecture |= {
            # Wide enough for whole heads wherever attention may begin.
            f"width.{stage}": Choice(values=widths[stage], ordered=True),
            f"depth.{stage}": Choice(values=depths[stage], ordered=True),
        }
    return Space(name="uniformer", backbone="uniformer", architecture=architecture, recipe=recipe())


def references() -> Iterator[Reference]:
    """The published networks, smallest first."""
    for size, (depths, stem, stochastic_depth) in PUBLISHED.items():
        architecture: dict[str, Value] = {
            "resolution": 224,
            "stem": stem,
            "stem_stride": 4,
            "switch": 2,
            "local_kernel": 5,
            "head_width": 32 if stem == "conv" else 64,
            "mlp_ratio": 4.0,
        }
        for stage, (width, depth) in enumerate(zip((64, 128, 320, 512), depths, strict=True)):
            architecture |= {f"width.{stage}": width, f"depth.{stage}": depth}
        yield Reference(
            name=f"UniFormer-{size}",
            family="UniFormer, published",
            candidate=Candidate(
                backbone="uniformer",
                objective="supervised",
                architecture=architecture,
                recipe={**PUBLISHED_RECIPE, "stochastic_depth.rate": stochastic_depth},
            ),
        )
