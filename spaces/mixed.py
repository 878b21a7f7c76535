"""Small mobile networks pretrained by SimCLR on a mix: own images, a share of fractals and a share of the data's pools.

``space.extend: {pretraining.mix.pools: [0.25, 0.5]}`` offers shares of ``data.pools``, which this space leaves at 0.
"""

from dataclasses import replace

from spaces import tiny
from spaces.dimensions import Choice
from spaces.pretraining import OBJECTIVE, with_pretraining
from spaces.space import Condition, Space

SHARES = {"mix.fractals": (0.0, 0.25, 0.5, 0.75), "mix.pools": (0.0,)}
"""Of an epoch's images, by address below ``pretraining``; own images have the rest."""


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
