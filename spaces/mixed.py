"""Small mobile networks pretrained by SimCLR on a mix: own images, a share of fractals and a share of the data's pools.

``space.extend: {pretraining.mix.pools: [0.25, 0.5]}`` offers shares of ``data.pools``, which this space leaves at 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from spaces import tiny
from spaces.dimensions import Choice, Value
from spaces.pretraining import OBJECTIVE, with_pretraining, with_stages
from spaces.reference import Reference
from spaces.space import Condition, Space

SHARES = {"mix.fractals": (0.0, 0.25, 0.5, 0.75), "mix.pools": (0.0,)}
"""Of an epoch's images, by address below ``pretraining``; own images have the rest."""

BY_HAND: Mapping[str, Value] = MappingProxyType(
    {
        "objective": "simclr",
        "source": "mix",
        "mix.fractals": 0.0,
        "mix.pools": 0.0,
        "share": 0.5,
        "batch.size": 64,
        "schedule.name": "cosine",
        "schedule.warmup_epochs": 1,
        "schedule.final": 0.01,
        "optimizer.name": "adamw",
        "optimizer.learning_rate.adamw": 3e-3,
        "optimizer.weight_decay": 1e-4,
        "simclr.temperature": 0.5,
        "simclr.layers": 2,
        "simclr.crop": 0.2,
        "simclr.jitter": 0.4,
    }
)
"""SimCLR on own images alone, below ``pretraining``."""


def space() -> Space:
    """The architectures and recipes of space ``tiny``, and their pretraining."""
    family = with_pretraining(tiny.space(), ("simclr",))
    dimensions = {"source": Choice(values=("mix",))}
    dimensions |= {address: Choice(values=values, ordered=True) for address, values in SHARES.items()}
    conditions = {f"pretraining.{address}": Condition(parent=OBJECTIVE, values=("simclr",)) for address in SHARES}
    return replace(
        family,
        name="mixed",
        pretraining={**family.pretraining, **dimensions},
        conditions={**family.conditions, **conditions},
    )


def references() -> Iterator[Reference]:
    """Those of space ``tiny``, pretrained on own images alone and fine-tuned whole."""
    return with_stages(tiny.references(), BY_HAND, {"method": "full", "full.layer_decay": 1.0})
