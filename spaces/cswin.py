"""CSWin (Dong et al., 2022, https://arxiv.org/abs/2107.00652): attention in stripes of rows and columns, four stages.

Contains the published T, S and B at 224 pixels. Learning rates are for batches of 256 with AdamW.
"""

from collections.abc import Iterator

from spaces._transformers import PUBLISHED_RECIPE, recipe
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Integer, Value
from spaces.reference import Reference
from spaces.space import Space

PUBLISHED: dict[str, tuple[int, int, tuple[int, ...], float]] = {
    "T": (64, 2, (1, 2, 21, 1), 0.2),
    "S": (64, 2, (2, 4, 32, 2), 0.4),
    "B": (96, 4, (2, 4, 32, 2), 0.5),
}
"""Width and heads of the first stage, blocks of the stages, and the rate of stochastic depth, by the published name."""


def space() -> Space:
    """The space: 4e6 architectures x 1e6 recipes."""
    depths = ((1, 2, 3), (2, 3, 4), (6, 12, 18, 21, 26, 32), (1, 2, 3))
    stripes = ((1, 2, 4), (1, 2, 4), (2, 4, 7, 8), (0,))
    architecture: dict[str, Dimension] = {
        "resolution": Integer(low=160, high=256, step=32),
        "stem_stride": Choice(values=(4,)),
        "width": Choice(values=(32, 48, 64, 80, 96), ordered=True),
        "heads": Choice(values=(2, 4), ordered=True),
        "mlp_ratio": Choice(values=(2.0, 3.0, 4.0), ordered=True),
    }
    for stage in range(4):
        architecture |= {
            f"depth.{stage}": Choice(values=depths[stage], ordered=True),
            f"stripe.{stage}": Choice(values=stripes[stage], ordered=True),
        }
    return Space(name="cswin", backbone="cswin", architecture=architecture, recipe=recipe(stochastic_depth=0.5))


def references() -> Iterator[Reference]:
    """The published networks, smallest first."""
    for size, (width, heads, depths, stochastic_depth) in PUBLISHED.items():
        architecture: dict[str, Value] = {
            "resolution": 224,
            "stem_stride": 4,
            "width": width,
            "heads": heads,
            "mlp_ratio": 4.0,
        }
        for stage, (depth, stripe) in enumerate(zip(depths, (1, 2, 7, 0), strict=True)):
            architecture |= {f"depth.{stage}": depth, f"stripe.{stage}": stripe}
        yield Reference(
            name=f"CSWin-{size}",
            family="CSWin, published",
            candidate=Candidate(
                backbone="cswin",
                objective="supervised",
                architecture=architecture,
                recipe={**PUBLISHED_RECIPE, "stochastic_depth.rate": stochastic_depth},
            ),
        )
