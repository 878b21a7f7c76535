"""Every pretraining objective of small networks: convolutions, TinyViTs and plain transformers.

Spaces ``pretraining`` and ``self_supervised`` keep their dimensions, since the codes of stored candidates depend on
them. Rare classes may be seen more often in what follows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from spaces import _small_of_families, pretraining, self_supervised, tiny
from spaces.dimensions import Choice, Dimension, Value, ordered
from spaces.joined import join
from spaces.pretraining import transformers, with_pretraining
from spaces.reference import Reference
from spaces.space import Space

ALL = (
    "none", "simclr", "swav", "dino", "multi_instance", "rotation", "pixpro", "sit", "graph_match", "latent", "look",
    "selfcon", "prototypes",
)  # fmt: skip
"""Objectives of any network."""

CONFIGURATIONS: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {
        "PixPro": {"objective": "pixpro"},
        "PixPro with instances": {"objective": "pixpro", "pixpro.instance": 1.0},
        "SiT": {
            "objective": "sit",
            "sit.dropped": 0.5,
            "sit.replaced": 0.3,
            "sit.filling": "noise",
            "sit.momentum": 0.996,
        },
        "LOOK": {"objective": "look"},
        "SelfCon": {"objective": "selfcon"},
        "LVM-Med": {"objective": "graph_match", "graph_match.edges": 0.2, "graph_match.local": 0.5},
        "M3I": {"objective": "latent+simmim+prototypes", "weights": "learned"},
    }
)
"""What papers choose, by address below ``pretraining``, for transformers; all else is a default.

PixPro is arXiv 2011.10043; SiT 2104.03602; LOOK 2110.06014; SelfCon, without generators, ImagiNet's 2407.20020; LVM-Med
2306.11925; M3I, with labels in place of captions, 2211.09807.
"""


TOKENS = (*ALL, "simmim", "latent+simmim+prototypes")


def space() -> Space:
    """The space: the networks of ``tiny``, and transformers, with some 1e6 pretrainings of each."""
    recipe, conditions = tiny.recipe_of_small_images()
    recipe = {**recipe, "sampling.rare": Choice(values=(0.0, 0.03, 0.1, 0.3), ordered=True)}
    knobs = {**self_supervised.knobs(), **_knobs()}
    families = (
        with_pretraining(tiny.space(), (*ALL, "spark", "latent+spark+prototypes"), knobs),
        with_pretraining(transformers(), TOKENS, knobs),
        with_pretraining(_small_of_families.vit(), TOKENS, {**knobs, "simmim.unit": Choice(values=(1,))}),
    )
    return join("every_objective", families, recipe=recipe, conditions=conditions)


def _knobs() -> Mapping[str, Dimension]:
    """Of the objectives that no other space has, by address below ``pretraining``."""
    crop, jitter, momentum = ordered(0.2, 0.4, 0.6, 0.8), ordered(0.0, 0.2, 0.4), ordered(0.9, 0.97, 0.99, 0.996)
    views = {
        f"{name}.{knob}": values
        for name in ("pixpro", "sit", "graph_match", "latent", "look", "selfcon")
        for knob, values in (("crop", crop), ("jitter", jitter))
    }
    return {
        **views,
        **{f"{name}.momentum": momentum for name in ("pixpro", "sit", "latent", "look")},
        "pixpro.power": ordered(0.5, 1.0, 2.0),
        "pixpro.instance": ordered(0.0, 1.0),
        "sit.pixels": ordered(0.0, 1.0, 4.0),
        "sit.dropped": ordered(0.3, 0.5, 0.7),
        "sit.replaced": ordered(0.0, 0.1, 0.3),
        "sit.filling": Choice(values=("noise", "grey")),
        "sit.aligned": Choice(values=(False, True)),
        "graph_match.edges": ordered(0.0, 0.2, 1.0),
        "graph_match.neighbours": ordered(3, 5, 10),
        "graph_match.local": ordered(0.0, 0.5),
        "graph_match.step": ordered(0.1, 0.2, 0.5, 1.0),
        "latent.masked": ordered(0.25, 0.5, 0.75),
        "latent.other": Choice(values=(False, True)),
        "look.nearest": ordered(8, 32, 128),
        "look.temperature": ordered(0.05, 0.1, 0.2),
        "look.queue": ordered(0, 512, 2048),
        "selfcon.before": ordered(1, 2),
        "selfcon.temperature": ordered(0.07, 0.1, 0.2),
        "prototypes.temperature": ordered(0.05, 0.1, 0.2),
        **{f"weight.{name}": ordered(0.25, 1.0, 4.0) for name in ("latent", "prototypes")},
    }


def references() -> Iterator[Reference]:
    """Those of space ``pretraining``, which see all images alike."""
    for reference in pretraining.references():
        candidate = reference.candidate
        yield replace(reference, candidate=replace(candidate, recipe={**candidate.recipe, "sampling.rare": 0.0}))
