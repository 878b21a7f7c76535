"""All pretraining objectives that need no teacher, with all their knobs, for small images and two cores.

Space ``pretraining`` keeps its dimensions, since the codes of stored candidates depend on them; what is new is here.
"""

from collections.abc import Mapping

from spaces import tiny
from spaces.dimensions import Choice, Dimension
from spaces.joined import join
from spaces.pretraining import OF_FRACTALS, knobs_of_objectives, transformers, with_pretraining
from spaces.pretraining import references as references
from spaces.space import Space


def space() -> Space:
    """The space: the architectures and recipes of space ``pretraining``, and more pretrainings of each."""
    recipe, conditions = tiny.recipe_of_small_images()
    views = ("none", "simclr", "swav", "rotation")
    families = (
        with_pretraining(tiny.space(), (*views, "spark", OF_FRACTALS), _knobs()),
        with_pretraining(transformers(), (*views, "simmim", OF_FRACTALS), _knobs()),
    )
    return join("everything_small", families, recipe=recipe, conditions=conditions)


def _knobs() -> Mapping[str, Dimension]:
    """By address below ``pretraining``."""
    head: dict[str, Dimension] = {
        "layers": Choice(values=(0, 1, 2, 3), ordered=True),
        "kappa": Choice(values=(1.0, 1.05, 1.1), ordered=True),
        "colour": Choice(values=("none", "simclr", "byol")),  # swav's and dino's differ in small views alone
    }
    of_both = {f"{objective}.{name}": knob for objective in ("simclr", "swav") for name, knob in head.items()}
    return {
        **knobs_of_objectives(),
        **of_both,
        "swav.queue": Choice(values=(0, 256), ordered=True),
        "swav.frozen_steps": Choice(values=(0, 10, 30), ordered=True),
        "swav.crops": Choice(values=(0, 2, 4), ordered=True),
        "spark.grid": Choice(values=(2, 4, 8), ordered=True),
    }
