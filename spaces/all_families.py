"""The families of space ``small_families``, RegNets and reversed attention in one space for small images.

All are trained from scratch. Space ``small_families`` keeps its dimensions, since the codes of stored candidates depend
on them.
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
        _small_of_families.vit_of_either_attention(),
        _small_of_families.moat(),
        _small_of_families.cswin(),
        _small_of_families.uniformer(),
        _small_of_families.regnet(),
    )
    return join("all_families", families, recipe=recipe, conditions=conditions)
