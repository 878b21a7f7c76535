"""Pretrainings as their papers have them, for small images and two cores, beside smaller ways of ``everything_small``.

SimCLRv2 with LARS, a memory and a projection of up to four layers, SparK with its decoder, SimMIM whose stem sees no
hidden pixel, and fractals as their authors draw them, for the single-label pretext (``supervised``, one in a picture)
and for the multi-instance one.
"""

from collections.abc import Mapping
from dataclasses import replace

from spaces import tiny
from spaces.dimensions import Choice, Dimension, Real
from spaces.joined import join
from spaces.pretraining import OBJECTIVE, OF_FRACTALS, knobs_of_objectives, transformers, with_pretraining
from spaces.pretraining import references as references
from spaces.space import Condition, Space

SOURCE, OPTIMIZER = "pretraining.source", "pretraining.optimizer.name"
PUBLISHED = "published_fractals"


def space() -> Space:
    """The space: the architectures and recipes of space ``pretraining``, and its pretrainings as published."""
    recipe, conditions = tiny.recipe_of_small_images()
    shared = ("none", "simclr", "supervised", OF_FRACTALS)
    families = (
        _published(with_pretraining(tiny.space(), (*shared, "spark"), _knobs())),
        _published(with_pretraining(transformers(), (*shared, "simmim"), _knobs())),
    )
    return join("as_published", families, recipe=recipe, conditions=conditions)


def with_lars(family: Space) -> Space:
    """A space of pretrainings whose optimizer may also be LARS, with rates about 0.075 sqrt(batch size)."""
    rate = "optimizer.learning_rate"
    conditions = {
        f"pretraining.{rate}.{name}": Condition(parent=OPTIMIZER, values=(name,)) for name in ("adamw", "lars")
    }
    pretraining = {
        **family.pretraining,
        "optimizer.name": Choice(values=("adamw", "lars")),
        f"{rate}.lars": Real(low=0.05, high=3.0, levels=7, log=True),
    }
    return replace(family, pretraining=pretraining, conditions={**family.conditions, **conditions})


def _published(family: Space) -> Space:
    """The sources of pictures, for every objective, and the optimizer."""
    trained = tuple(value for value in family.pretraining["objective"].values if value != "none")
    of_pictures: dict[str, Dimension] = {
        f"{PUBLISHED}.systems": Choice(values=(100, 1000), ordered=True),
        f"{PUBLISHED}.most": Choice(values=(1, 3, 5), ordered=True),
        f"{PUBLISHED}.low": Choice(values=(4.0, 5.0), ordered=True),
        f"{PUBLISHED}.iterations": Choice(values=(10_000, 100_000), ordered=True),
    }
    sources = Choice(values=("own", "fractals", PUBLISHED))
    conditions = {
        **family.conditions,
        SOURCE: Condition(parent=OBJECTIVE, values=trained),
        "pretraining.fractals.systems": Condition(parent=SOURCE, values=("fractals",)),
        **{f"pretraining.{address}": Condition(parent=SOURCE, values=(PUBLISHED,)) for address in of_pictures},
    }
    pretraining = {**family.pretraining, "source": sources, **of_pictures}
    return with_lars(replace(family, pretraining=pretraining, conditions=conditions))


def _knobs() -> Mapping[str, Dimension]:
    """By address below ``pretraining``."""
    return {
        **knobs_of_objectives(),
        "simclr.layers": Choice(values=(1, 2, 3, 4), ordered=True),
        "simclr.jitter": Choice(values=(0.0, 0.2, 0.4, 0.8), ordered=True),
        "simclr.colour": Choice(values=("none", "simclr")),
        "simclr.memory": Choice(values=(0, 256, 1024), ordered=True),
        "simclr.momentum": Choice(values=(0.9, 0.99, 0.999), ordered=True),
        "spark.decoder_width": Choice(values=(32, 64, 128), ordered=True),
        "spark.scales": Choice(values=(1, 2, 4), ordered=True),
        "simmim.sealed": Choice(values=(True, False)),
    }
