"""UniFormers for clips of small frames: seen in time, or with all frames as the channels of one image.

For data whose images are clips of eight frames, grey or in colour (sources ``moving``, ``data.clips``). The recipe is
that of ``tiny`` without turned images.
"""

from collections.abc import Iterator
from itertools import product

from spaces import _small_of_families, tiny
from spaces._small_references import OFF, RECIPES
from spaces.candidate import Candidate
from spaces.dimensions import Choice, Dimension, Value, ordered
from spaces.reference import Reference
from spaces.space import Space

FRAMES = 8
KINDS = {"UniFormer in time": FRAMES, "UniFormer on stacked frames": 1}
SIZES = ((8, 8, (8, 16, 32), 1), (16, 16, (8, 16, 32), 1), (16, 16, (16, 32, 64), 1), (32, 16, (16, 32, 64), 2))
"""Resolution, width of a head, channels and depth of the stages of what one would write by hand."""
TURNED = "augment.rotate_degrees"
"""What turns a direction of movement, too."""


def space() -> Space:
    """The space: 1e5 architectures x 6e8 recipes."""
    base = _small_of_families.uniformer()
    architecture: dict[str, Dimension] = {**base.architecture, "frames": Choice(values=(1, FRAMES), ordered=True)}
    architecture |= {
        "resolution": ordered(8, 12, 16, 24, 32),
        **{f"depth.{stage}": ordered(1, 2) for stage in range(3)},
        **{f"width.{stage}": ordered(*values) for stage, values in enumerate(((8, 16), (16, 32), (32, 48, 64)))},
    }
    recipe, conditions = tiny.recipe_of_small_images()
    return Space(
        name="clips",
        backbone="uniformer",
        architecture=architecture,
        recipe={address: dimension for address, dimension in recipe.items() if address != TURNED},
        conditions=conditions,
    )


def references() -> Iterator[Reference]:
    """UniFormer-S scaled down (patches, the first half of the stages local, ratio 4) under a recipe written by hand."""
    recipe = {address: value for address, value in {**OFF, **RECIPES["AdamW"]}.items() if address != TURNED}
    for (kind, frames), (resolution, head_width, channels, depth) in product(KINDS.items(), SIZES):
        architecture: dict[str, Value] = {
            "resolution": resolution,
            "stem": "patch",
            "stem_stride": 2,
            "switch": 2,
            "local_kernel": 5,
            "head_width": head_width,
            "mlp_ratio": 4.0,
            "frames": frames,
            **{f"width.{stage}": width for stage, width in enumerate(channels)},
            **{f"depth.{stage}": depth for stage in range(3)},
        }
        yield Reference(
            name=f"{kind} {resolution}px-w{channels[0]}-d{3 * depth}",
            family=kind,
            candidate=Candidate(backbone="uniformer", objective="supervised", architecture=architecture, recipe=recipe),
        )
