"""Texts beside labels: small networks trained on labels, with stored vectors of texts in the first part or without.

For small images whose data have ``text_vectors``; sources ``emoji``, ``folder`` and ``manifest`` have captions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from spaces import tiny
from spaces.dimensions import Choice, Dimension, Real, Value
from spaces.pretraining import recipe_of_pretraining, with_pretraining
from spaces.pretraining import references as of_pretraining
from spaces.reference import Reference
from spaces.space import Space

CONFIGURATIONS: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {"GPT4Image": {"objective": "supervised+text_side", "weight.text_side": 0.3, "weight.supervised": 1.0}}
)
"""What the paper chooses, by address below ``pretraining``: arXiv 2306.00693."""


def space() -> Space:
    """The space: the networks and recipes of space ``tiny``, and some 1e6 ways to begin."""
    knobs: dict[str, Dimension] = {
        "text_side.form": Choice(values=("symmetric", "one_way", "distance")),
        "text_side.temperature": Choice(values=(0.05, 0.1, 0.2, 0.5), ordered=True),
        "text_side.crop": Choice(values=(0.6, 0.8, 1.0), ordered=True),
        "weight.text_side": Choice(values=(0.0, 0.1, 0.3, 1.0), ordered=True),
        "weight.supervised": Choice(values=(1.0,)),
    }
    recipe = {
        **recipe_of_pretraining(),
        "optimizer.learning_rate.adamw": Real(low=5e-4, high=2e-2, levels=9, log=True),
    }
    whole = with_pretraining(
        tiny.space(), ("none", "supervised", "supervised+text_side"), knobs, recipe=recipe, necks=(0,)
    )
    return replace(whole, name="described")


def references() -> Iterator[Reference]:
    """Those of space ``pretraining``, which see labels alone."""
    yield from of_pretraining()
