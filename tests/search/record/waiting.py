"""Trials that have not run yet."""

from typing import Any

import numpy as np

from search.record.trial import Trial
from spaces.sampling import uniform
from spaces.space import Space
from trainables.counting.counts import Statistics


def waiting(space: Space, number: int, **changes: Any) -> Trial:
    """A trial of a random candidate of the space, drawn by its number, with two epochs."""
    codes_ND = uniform(space, 1, np.random.default_rng(number))
    fields: dict[str, Any] = {
        "number": number,
        "purpose": "search",
        "round": 0,
        "candidate": space.decode(codes_ND)[0],
        "codes_D": codes_ND[0],
        "statistics": Statistics(macs=10, params=20, activations=30, resolution=8),
        "epochs": 2,
        "stop": 2,
        "seed": 3,
        "predicted": None,
    }
    return Trial(**{**fields, **changes})
