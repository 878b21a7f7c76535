"""A small plan and batch on which ingredients of a recipe are applied alone."""

import torch
from torch import nn

from trainables.plan import Batch, Plan


def plan(**fields: object) -> Plan:
    return Plan(epochs=4, images=64, classes=3, batch_size=16, network=nn.Linear(2, 3), **fields)  # type: ignore[arg-type]


def batch(count: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(3, (count,), generator=generator)
    return Batch(image_BCHW=torch.rand(count, 1, 8, 8, generator=generator), target_BK=torch.eye(3)[labels])


def transformed(changed: Plan, seed: int = 0) -> Batch:
    assert len(changed.transforms) == 1
    return changed.transforms[0](batch(), torch.Generator().manual_seed(seed))
