"""The plain vision transformer (Dosovitskiy et al., 2021, https://arxiv.org/abs/2010.11929) for large images.

Contains DeiT-Ti, S and B at 224 pixels (Touvron et al., 2021, https://arxiv.org/abs/2012.12877), without a teacher.
Learning rates are for batches of 256 with AdamW.
"""

from collections.abc import Iterator

from spaces._transformers import PUBLISHED_RECIPE, recipe
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Integer, Value
from spaces.reference import Reference
from spaces.space import Space

PUBLISHED = {"Ti": 192, "S": 384, "B": 768}
"""Width by the published name."""


def space() -> Space:
    """The space: 4e4 architectures x 6e5 recipes."""
    architecture: dict[str, Dimension] = {
        "resolution": Integer(low=160, high=256, step=32),
        "patch": Choice(values=(14, 16, 20, 32), ordered=True),
        "width": Choice(values=(128, 192, 256, 320, 384, 512, 640, 768), ordered=True),
        "depth": Choice(values=(4, 6, 8, 10, 12, 16), ordered=True),
        "head_width": Choice(values=(32, 64), ordered=True),
        "mlp_ratio": Choice(values=(2.0, 3.0, 4.0), ordered=True),
        "pooling": Choice(values=("mean", "token")),
        "registers": Choice(values=(0, 4), ordered=True),
    }
    return Space(name="vit", backbone="vit", architecture=architecture, recipe=recipe())


def references() -> Iterator[Reference]:
    """The published networks, smallest first."""
    for size, width in PUBLISHED.items():
        architecture: dict[str, Value] = {
            "resolution": 224,
            "patch": 16,
            "width": width,
            "depth": 12,
            "head_width": 64,
            "mlp_ratio": 4.0,
            "pooling": "token",
            "registers": 0,
        }
        yield Reference(
            name=f"DeiT-{size}",
            family="DeiT, published",
            candidate=Candidate(
                backbone="vit",
                objective="supervised",
                architecture=architecture,
                recipe={**PUBLISHED_RECIPE, "stochastic_depth.rate": 0.1},
            ),
        )
