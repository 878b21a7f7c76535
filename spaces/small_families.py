"""Six families in one space for small images: MBConv networks, TinyViT, plain transformers, MOAT, CSWin and UniFormer.

All are trained from scratch with the recipe of space ``tiny``.
"""

from spaces import _small_of_families, tiny
from spaces.joined import join
from spaces.pretraining import transformers
from spaces.space import Space
from spaces.tiny import references as references


def space() -> Space:
    """The space: 3e10 architectures x 4e9 recipes."""
    recipe, conditions = tiny.recipe_of_small_images()
    families = (
        tiny.space(),
        transformers(),
        _small_of_families.vit(),
        _small_of_families.moat(),
        _small_of_families.cswin(),
        _small_of_families.uniformer(),
    )
    return join("small_families", families, recipe=recipe, conditions=conditions)
