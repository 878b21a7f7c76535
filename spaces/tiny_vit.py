"""TinyViT (Wu et al., 2022, https://arxiv.org/abs/2207.10666): widths, depths, windows and expansions of four stages.

Contains the published 5M, 11M and 21M networks at 224 pixels. Learning rates are for batches of 256 with AdamW.
"""

from collections.abc import Iterator

from spaces._transformers import PUBLISHED_RECIPE, recipe
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Integer, Value
from spaces.reference import Reference
from spaces.space import Space

PUBLISHED: dict[str, tuple[tuple[int, ...], float]] = {
    "5M": ((64, 128, 160, 320), 0.0),
    "11M": ((64, 128, 256, 448), 0.1),
    "21M": ((96, 192, 384, 576), 0.2),
}
"""Widths of the stages, and the rate of stochastic depth, by the published name."""


def space() -> Space:
    """The space: 3e7 architectures x 6e5 recipes."""
    architecture: dict[str, Dimension] = {
        "resolution": Integer(low=160, high=256, step=32),
        "mlp_ratio": Choice(values=(2.0, 3.0, 4.0), ordered=True),
        "conv_expansion": Choice(values=(2, 3, 4), ordered=True),
    }
    widths = ((32, 64, 96), (64, 96, 128, 192), (128, 160, 192, 256, 320, 384), (256, 320, 384, 448, 512, 576))
    depths = ((1, 2, 3), (1, 2, 3), (2, 4, 6, 8), (1, 2, 3))
    windows = ((5, 7, 8), (7, 14), (5, 7, 8))
    for stage in range(4):
        architecture |= {
            f"width.{stage}": Choice(values=widths[stage], ordered=True),
            f"depth.{stage}": Choice(values=depths[stage], ordered=True),
        }
    for stage, sizes in enumerate(windows):
        architecture[f"window.{stage}"] = Choice(values=sizes, ordered=True)
    return Space(name="tiny_vit", backbone="tiny_vit", architecture=architecture, recipe=recipe())


def references() -> Iterator[Reference]:
    """The published networks, smallest first."""
    for size, (widths, stochastic_depth) in PUBLISHED.items():
        architecture: dict[str, Value] = {"resolution": 224, "mlp_ratio": 4.0, "conv_expansion": 4}
        for stage, (width, depth) in enumerate(zip(widths, (2, 2, 6, 2), strict=True)):
            architecture |= {f"width.{stage}": width, f"depth.{stage}": depth}
        architecture |= {f"window.{stage}": side for stage, side in enumerate((7, 14, 7))}
        yield Reference(
            name=f"TinyViT-{size}",
            family="TinyViT, published",
            candidate=Candidate(
                backbone="tiny_vit",
                objective="supervised",
                architecture=architecture,
                recipe={**PUBLISHED_RECIPE, "stochastic_depth.rate": stochastic_depth},
            ),
        )
