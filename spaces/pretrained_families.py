"""The six families of space ``small_families``, pretrained or not: each with the objectives that suit its features.

Masked convolution is for MBConv networks, masked tokens for the others; what follows pretraining is as in space
``pretraining``.
"""

from collections.abc import Mapping

from spaces import _small_of_families, tiny
from spaces.dimensions import Choice, Dimension
from spaces.joined import join
from spaces.pretraining import OF_FRACTALS, knobs_of_objectives, transformers, with_pretraining
from spaces.pretraining import references as references
from spaces.space import Space


def space() -> Space:
    """The space: the architectures and recipes of ``small_families``, and some 3e4 pretrainings of each."""
    recipe, conditions = tiny.recipe_of_small_images()
    of_tokens = (
        transformers(),
        _small_of_families.vit(),
        _small_of_families.moat(),
        _small_of_families.cswin(),
        _small_of_families.uniformer(),
    )
    convolutional = with_pretraining(tiny.space(), ("none", "simclr", "swav", "spark", OF_FRACTALS), _knobs())
    others = (
        with_pretraining(family, ("none", "simclr", "swav", "simmim", OF_FRACTALS), _knobs()) for family in of_tokens
    )
    return join("pretrained_families", (convolutional, *others), recipe=recipe, conditions=conditions)


def _knobs() -> Mapping[str, Dimension]:
    """By address below ``pretraining``; SimMIM hides single tokens, since maps of some images have odd sides."""
    return {**knobs_of_objectives(), "simmim.unit": Choice(values=(1,))}
