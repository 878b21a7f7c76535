"""Pretraining in stages: once, again on the data's own images, or besides taught by what that has led to.

The first stage sees fractals, a named pool or the data's own images; a second goes on with the latter. Stage three of
``distilled`` begins where the first ended and agrees with the second (Lee et al. 2023, https://arxiv.org/abs/2210.02871),
for plain transformers as in the paper, and for convolutions.
"""

from dataclasses import replace

from spaces import _small_of_families, tiny
from spaces.candidate import AGREEMENT, FURTHER, STAGE_COUNTS, STAGES, WEIGHT
from spaces.dimensions import Choice, ordered
from spaces.joined import join
from spaces.pretraining import knobs_of_objectives, recipe_of_pretraining, with_pretraining
from spaces.pretraining import references as references
from spaces.space import Condition, Space


def space() -> Space:
    """The space: plain transformers and convolutions of space ``small_families``, and pretrainings of each."""
    recipe, conditions = tiny.recipe_of_small_images()
    families = (
        _in_stages(_small_of_families.vit(), ("none", "mae", "simclr", "simclr+mae")),
        _in_stages(tiny.space(), ("none", "spark", "simclr", "simclr+spark")),
    )
    return join("further", families, recipe=recipe, conditions=conditions)


def _in_stages(family: Space, objectives: tuple[str, ...]) -> Space:
    knobs = {**knobs_of_objectives(), "mae.masked": ordered(0.5, 0.6, 0.75), "weight.simclr": ordered(0.25, 1.0, 4.0)}
    recipe = {**recipe_of_pretraining(), STAGES: Choice(values=tuple(STAGE_COUNTS))}
    whole = with_pretraining(family, objectives, knobs, recipe=recipe)
    of_several = Condition(parent=f"pretraining.{STAGES}", values=("twice", "distilled"))
    of_three = Condition(parent=f"pretraining.{STAGES}", values=("distilled",))
    agreement = f"{WEIGHT}.{AGREEMENT}"
    return replace(
        whole,
        pretraining={**whole.pretraining, FURTHER: ordered(0.25, 0.5, 0.75), agreement: ordered(0.01, 0.1, 1.0)},
        conditions={
            **whole.conditions,
            f"pretraining.{FURTHER}": of_several,
            f"pretraining.{agreement}": of_three,
        },
    )
