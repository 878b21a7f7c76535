"""Masked pretraining of plain transformers, beside contrast and masked convolution, for small images and two cores.

Plain transformers may see a part of the tokens (``mae``, ``cae``, ``croco``), also together with contrast; every
family may pick which hidden patch belongs where (``selfie``).
"""

from collections.abc import Mapping

from spaces import _small_of_families, tiny
from spaces.dimensions import Choice, Dimension, ordered
from spaces.joined import join
from spaces.pretraining import knobs_of_objectives, transformers, with_pretraining
from spaces.pretraining import references as references
from spaces.space import Space

SEQUENCES = ("none", "mae", "cae", "croco", "selfie", "simmim", "simclr", "simclr+mae")
TOKENS = ("none", "selfie", "simmim", "simclr")
MAPS = ("none", "selfie", "spark", "simclr")


def space() -> Space:
    """The space: three families of small networks, the recipe of space ``tiny``, and pretrainings of each."""
    recipe, conditions = tiny.recipe_of_small_images()
    families = (
        with_pretraining(_small_of_families.vit(), SEQUENCES, _knobs()),
        with_pretraining(tiny.space(), MAPS, _knobs()),
        with_pretraining(transformers(), TOKENS, _knobs()),
    )
    return join("masked_tokens", families, recipe=recipe, conditions=conditions)


def _knobs() -> Mapping[str, Dimension]:
    """By address below ``pretraining``."""
    width, depth, share = ordered(32, 64), ordered(1, 2, 4), ordered(0.5, 0.6, 0.75, 0.9)
    return {
        **knobs_of_objectives(),
        "simmim.unit": ordered(1),
        "mae.masked": share,
        "mae.decoder_width": width,
        "mae.decoder_depth": depth,
        "cae.masked": ordered(0.4, 0.5, 0.75),
        "cae.block": Choice(values=(False, True)),
        "cae.target": Choice(values=("pixels", "codes")),
        "cae.alignment": ordered(0.0, 0.1, 2.0),
        "cae.width": width,
        "cae.regressor_depth": depth,
        "croco.masked": share,
        "croco.crop": ordered(0.4, 0.6, 0.8),
        "croco.jitter": ordered(0.0, 0.2, 0.4),
        "croco.decoder_width": width,
        "croco.decoder_depth": depth,
        "selfie.masked": ordered(0.5, 0.6, 0.75),
        "selfie.grid": ordered(2, 4),
        "selfie.pool_depth": ordered(1, 2),
        "weight.simclr": ordered(0.25, 1.0, 4.0),
    }
