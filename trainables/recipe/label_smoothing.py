"""Label smoothing (Szegedy et al. 2016)."""

from dataclasses import replace

import torch

from trainables.plan import Batch, Plan, Stage

PAPER = "https://arxiv.org/abs/1512.00567"
STAGE = Stage.BATCH
OFF = {"rate": 0.0}
TRIED = ({"rate": 0.1},)
PER_WORKER = None


def apply(plan: Plan, *, rate: float) -> Plan:
    """Give ``rate`` of each target's mass evenly to all classes."""

    def smooth(batch: Batch, generator: torch.Generator) -> Batch:
        classes = batch.target_BK.shape[1]
        return replace(batch, target_BK=batch.target_BK * (1.0 - rate) + rate / classes)

    return plan if rate == 0.0 else replace(plan, transforms=(*plan.transforms, smooth))
