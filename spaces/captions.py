"""Pretraining with captions: three families of small networks, CLIP and its options, and what is made of class names.

For small images in colour with captions (sources ``emoji`` and ``folder``). After pretraining, all weights are trained
on labels, or the classifier alone, or prompts, or nothing: the accuracy of ``zero_shot`` is that of class names alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from spaces import _small_of_families, tiny
from spaces.dimensions import Choice, Dimension, Real, Value, ordered
from spaces.joined import join
from spaces.pretraining import recipe_of_pretraining, transformers, with_pretraining
from spaces.pretraining import references as of_pretraining
from spaces.reference import Reference
from spaces.space import Condition, Space

OBJECTIVES = ("none", "clip", "clip+simclr", "supervised+clip")
CONFIGURATIONS: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {
        "CLIP": {"objective": "clip"},
        "ConVIRT": {
            "objective": "clip",
            "clip.direction": 0.75,
            "clip.learned": False,
            "clip.temperature": 0.1,
            "clip.crop": 0.6,
            "clip.jitter": 0.4,
        },
        "ALIGN": {"objective": "clip", "clip.smoothing": 0.1, "clip.temperature": 1.0},
        "GPT4Image": {"objective": "supervised+clip"},
    }
)
"""What papers choose, by address below ``pretraining``: arXiv 2103.00020, 2010.00747, 2102.05918 and, with captions in
place of a language model's descriptions and a tower that is trained, 2306.00693."""
METHOD = "adaptation.method"


PROMPTS: Mapping[str, Dimension] = MappingProxyType(
    {"context": ordered(1, 4, 8), "by_class": Choice(values=(False, True))}
)
"""Knobs of adaptation ``prompts``."""


def space() -> Space:
    """The space: the networks of three families, some 1e8 pretrainings with captions, and four adaptations."""
    return with_knobs("captions", {}, {"prompts": PROMPTS, "zero_shot": {}})


def with_knobs(name: str, further: Mapping[str, Dimension], methods: Mapping[str, Mapping[str, Dimension]]) -> Space:
    """The three families under a name, with further knobs of pretraining and ways to go on, each with its knobs."""
    recipe, conditions = tiny.recipe_of_small_images()
    families = (
        with_methods(_captioned(family, further), methods)
        for family in (tiny.space(), transformers(), _small_of_families.vit())
    )
    return join(name, tuple(families), recipe=recipe, conditions=conditions)


def references() -> Iterator[Reference]:
    """Those of space ``pretraining``, which see labels alone."""
    yield from of_pretraining()


def _captioned(family: Space, further: Mapping[str, Dimension]) -> Space:
    """A family whose candidates may be pretrained with captions, on the data's own images."""
    recipe = {**recipe_of_pretraining(), "batch.size": ordered(64, 128, 256)}
    return with_pretraining(family, OBJECTIVES, {**_knobs(), **further}, recipe=recipe, necks=(0,))


def with_methods(space: Space, knobs: Mapping[str, Mapping[str, Dimension]]) -> Space:
    """A space of one backbone with further ways to go on after a pretraining, each with its knobs."""
    of_methods = {
        f"{method}.{knob}": (method, dimension) for method, own in knobs.items() for knob, dimension in own.items()
    }
    return replace(
        space,
        adaptation={
            **space.adaptation,
            "method": Choice(values=(*space.adaptation["method"].values, *knobs)),
            **{address: dimension for address, (_, dimension) in of_methods.items()},
        },
        conditions={
            **space.conditions,
            **{
                f"adaptation.{address}": Condition(parent=METHOD, values=(method,))
                for address, (method, _) in of_methods.items()
            },
        },
    )


def _knobs() -> Mapping[str, Dimension]:
    """By address below ``pretraining``."""
    return {
        **knobs_of_clip(),
        "simclr.temperature": ordered(0.1, 0.2, 0.5),
        "simclr.crop": ordered(0.2, 0.4, 0.6, 0.8),
        "weight.simclr": Real(low=0.1, high=1.0, levels=3, log=True),
        "weight.supervised": Real(low=0.1, high=1.0, levels=3, log=True),
    }


def knobs_of_clip() -> Mapping[str, Dimension]:
    """By address below ``pretraining``."""
    return {
        "clip.width": ordered(32, 64, 128),
        "clip.text_width": ordered(32, 64),
        "clip.text_depth": ordered(1, 2, 3),
        "clip.temperature": ordered(0.03, 0.07, 0.2, 1.0),
        "clip.learned": Choice(values=(False, True)),
        "clip.direction": ordered(0.25, 0.5, 0.75),
        "clip.smoothing": ordered(0.0, 0.1, 0.2),
        "clip.crop": ordered(0.4, 0.6, 0.8, 1.0),
        "clip.jitter": ordered(0.0, 0.2, 0.4),
    }
