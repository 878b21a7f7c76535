"""Space ``captions`` with every option of ``clip``, and images that captions name as one more way to go on.

For images in colour with two captions each or more, such as names and keywords, or names in two languages;
``retrieved`` needs captions with names of the classes (``data.synonyms``).
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from spaces import captions
from spaces.captions import PROMPTS
from spaces.captions_pretrained import RETRIEVED
from spaces.dimensions import Choice, Dimension, Value
from spaces.reference import Reference
from spaces.space import Space

CONFIGURATIONS: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {
        **captions.CONFIGURATIONS,
        "DreamLIP": {
            "objective": "clip",
            "clip.captions": 2,
            "clip.places": 1.0,
            "clip.grouped_for": "own",
        },
        "M2-Encoder": {"objective": "clip", "clip.captions": 2, "clip.parts": 2},
        "ProtoCLIP": {"objective": "clip", "clip.prototypes": 1.0},
        "PLIP": {"objective": "clip", "clip.matching": True, "clip.words": 0.3, "clip.painted": 0.3},
    }
)
"""What papers choose, by address below ``pretraining``: those of ``captions`` and arXiv 2403.17007, 2401.15896,
2206.10996 and, without identities, 2305.08386. The weights of terms are ours."""
OPTIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        "clip.captions": Choice(values=(1, 2), ordered=True),
        "clip.parts": Choice(values=(1, 2, 4), ordered=True),
        "clip.matching": Choice(values=(False, True)),
        "clip.prototypes": Choice(values=(0.0, 0.3, 1.0), ordered=True),
        "clip.places": Choice(values=(0.0, 0.3, 1.0), ordered=True),
        "clip.grouped_for": Choice(values=("every", "own")),
        "clip.words": Choice(values=(0.0, 0.3, 1.0), ordered=True),
        "clip.painted": Choice(values=(0.0, 0.3, 1.0), ordered=True),
    }
)
"""By address below ``pretraining``; the first of each is off, or the default."""


def space() -> Space:
    """The space: the networks of three families, some 1e11 pretrainings with captions, and five adaptations."""
    methods = {"prompts": PROMPTS, "zero_shot": {}, "retrieved": RETRIEVED}
    return captions.with_knobs("captions_of_all_kinds", OPTIONS, methods)


def references() -> Iterator[Reference]:
    """Those of space ``pretraining``, which see labels alone."""
    yield from captions.references()
