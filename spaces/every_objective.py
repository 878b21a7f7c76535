"""Every pretraining objective of small networks: convolutions, TinyViTs and plain transformers.

Spaces ``pretraining`` and ``self_supervised`` keep their dimensions, since the codes of stored candidates depend on
them. Rare classes may be seen more often in what follows.
"""

from collections.abc import Iterator
from dataclasses import replace

from spaces import _small_of_families, pretraining, self_supervised, tiny
from spaces.dimensions import Choice
from spaces.joined import join
from spaces.pretraining import transformers, with_pretraining
from spaces.reference import Reference
from spaces.space import Space

ALL = ("none", "simclr", "swav", "dino", "multi_instance", "rotation")
"""Objectives of any network."""


def space() -> Space:
    """The space."""
    recipe, conditions = tiny.recipe_of_small_images()
    recipe = {**recipe, "sampling.rare": Choice(values=(0.0, 0.03, 0.1, 0.3), ordered=True)}
    knobs = self_supervised.knobs()
    families = (
        with_pretraining(tiny.space(), (*ALL, "spark"), knobs),
        with_pretraining(transformers(), (*ALL, "simmim"), knobs),
        with_pretraining(_small_of_families.vit(), (*ALL, "simmim"), {**knobs, "simmim.unit": Choice(values=(1,))}),
    )
    return join("every_objective", families, recipe=recipe, conditions=conditions)


def references() -> Iterator[Reference]:
    """Those of space ``pretraining``, which see all images alike."""
    for reference in pretraining.references():
        candidate = reference.candidate
        yield replace(reference, candidate=replace(candidate, recipe={**candidate.recipe, "sampling.rare": 0.0}))
