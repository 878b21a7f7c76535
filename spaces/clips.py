"""UniFormers for clips of small frames: seen in time, or with all frames as the channels of one image.

For data whose images are clips of eight frames, grey or in colour (sources ``moving``, ``data.clips``). The recipe is
that of ``tiny`` without turned images.
"""

from spaces import _small_of_families, tiny
from spaces.dimensions import Choice, Dimension, ordered
from spaces.space import Space

FRAMES = 8


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
    turned = "augment.rotate_degrees"  # turns a direction of movement, too
    return Space(
        name="clips",
        backbone="uniformer",
        architecture=architecture,
        recipe={address: dimension for address, dimension in recipe.items() if address != turned},
        conditions=conditions,
    )
