"""Candidates whose training does not depend on how many workers share a batch."""

import numpy as np

from spaces import components
from spaces.candidate import Candidate
from spaces.sampling import uniform

NEUTRAL = {
    "dropout.rate": 0.0,
    "stochastic_depth.rate": 0.0,
    "mixup.alpha": 0.0,
    "augment.shift": 0.0,
    "augment.rotate_degrees": 0.0,
    "augment.erase": 0.0,
    "optimizer.name": "sgd",
    "optimizer.learning_rate.sgd": 0.05,
}
"""Nothing is drawn, as each worker draws for its own images; and no optimizer that divides by small gradients."""


def neutral(space: str, batch: int) -> Candidate:
    """With batch normalisation, plain in ``tiny_vit`` and with activations inside in ``tiny``."""
    named = components.load(components.SPACES, space).space()
    plain = named.decode(uniform(named, 1, np.random.default_rng(0)))[0].to_dict()
    plain["recipe"] |= {**NEUTRAL, "batch.size": batch}
    return Candidate.from_dict(plain)
