"""Self-distillation and several objectives at once, beside single ones, for small images and two cores.

A candidate's pretraining is one objective, or the weighted sum of two or three, whose weights are dimensions or
trained. ``CONFIGURATIONS`` are those of papers.
"""

from collections.abc import Mapping
from types import MappingProxyType

from spaces import tiny
from spaces.dimensions import Choice, Dimension, Value
from spaces.joined import join
from spaces.pretraining import knobs_of_objectives, transformers, with_pretraining
from spaces.pretraining import references as references
from spaces.space import Space

SINGLE = ("none", "simclr", "swav", "dino")

CONFIGURATIONS: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {
        "DINO": {"objective": "dino", "dino.crops": 4},
        "Mugs": {
            "objective": "dino",
            "dino.instances": 1.0,
            "dino.neighbours": 1.0,
            "dino.balanced": True,
            "dino.crops": 4,
        },
        "RAD-DINO": {
            "objective": "dino",
            "dino.patches": 1.0,
            "dino.spread": 0.1,
            "dino.crop": 0.6,
            "dino.crops": 4,
        },
        "heuristic multi-task": {"objective": "multi_instance+simmim+simclr"},
    }
)
"""What papers choose, by address below ``pretraining``, for transformers; all else is a default.

Mugs is arXiv 2203.14415; RAD-DINO, whose crops show much of a radiograph, 2401.10815; the multi-task one 2310.07510.
"""


def space() -> Space:
    """The space: the architectures and recipes of space ``pretraining``, and other pretrainings of each."""
    return with_knobs("self_supervised", {})


def with_knobs(name: str, further: Mapping[str, Dimension]) -> Space:
    """The space under another name, with further knobs of pretraining, by address below it."""
    recipe, conditions = tiny.recipe_of_small_images()
    convolutions = (*SINGLE, "spark", "simclr+spark", "dino+spark", "multi_instance+spark+simclr")
    tokens = (*SINGLE, "simmim", "simclr+simmim", "dino+simmim", "multi_instance+simmim+simclr")
    every = {**knobs(), **further}
    families = (
        with_pretraining(tiny.space(), convolutions, every),
        with_pretraining(transformers(), tokens, {**every, "dino.patches": _weight(0.0, 1.0)}),
    )
    return join(name, families, recipe=recipe, conditions=conditions)


def knobs() -> Mapping[str, Dimension]:
    """By address below ``pretraining``."""
    dino: dict[str, Dimension] = {
        "instances": _weight(0.0, 1.0),
        "neighbours": _weight(0.0, 1.0),
        "spread": _weight(0.0, 0.1),
        "balanced": Choice(values=(False, True)),
        "crops": Choice(values=(0, 2, 4, 8), ordered=True),
        "crop": Choice(values=(0.4, 0.6, 0.8), ordered=True),
        "momentum": Choice(values=(0.9, 0.97, 0.99, 0.996), ordered=True),
        "prototypes": Choice(values=(64, 256), ordered=True),
        "teacher_temperature": Choice(values=(0.04, 0.07), ordered=True),
        "keeps": Choice(values=("teacher", "student")),
    }
    return {
        **knobs_of_objectives(),
        **{f"dino.{name}": knob for name, knob in dino.items()},
        **{f"weight.{part}": _weight(0.25, 1.0, 4.0) for part in ("simclr", "dino", "multi_instance")},
        "weights": Choice(values=("fixed", "learned")),
    }


def _weight(*values: float) -> Dimension:
    return Choice(values=values, ordered=True)
