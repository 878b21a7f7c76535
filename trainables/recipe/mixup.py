"""Mixup (Zhang et al. 2018): convex combinations of two images and of their targets."""

from dataclasses import replace

import numpy as np
import torch

from trainables.plan import Batch, Plan, Stage

PAPER = "https://arxiv.org/abs/1710.09412"
STAGE = Stage.BATCH
OFF = {"alpha": 0.0}
TRIED = ({"alpha": 0.2},)
PER_WORKER = "each worker mixes its own images"


def apply(plan: Plan, *, alpha: float) -> Plan:
    """Mix each batch with its own permutation by a share drawn from Beta(alpha, alpha); zero is off."""

    def mix(batch: Batch, generator: torch.Generator) -> Batch:
        if batch.fields:
            names = " and ".join(batch.fields)
            raise ValueError(f"recipe.mixup mixes two images, whose {names} cannot be mixed; use alpha 0")
        seed = int(torch.randint(2**31, (), generator=generator))
        share = float(np.random.default_rng(seed).beta(alpha, alpha))
        order_B = torch.randperm(len(batch.image_BCHW), generator=generator).to(batch.image_BCHW.device)
        return replace(
            batch,
            image_BCHW=torch.lerp(batch.image_BCHW[order_B], batch.image_BCHW, share),
            target_BK=torch.lerp(batch.target_BK[order_B], batch.target_BK, share),
        )

    return plan if alpha == 0.0 else replace(plan, transforms=(*plan.transforms, mix))
