"""Wrong labels: a share of the training labels is replaced, always the same ones by the same ones.

Chen et al. 2024 ask what noise in the labels of pretraining does to features and what helps afterwards. It is for such
questions, and no remedy.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from trainables.batches.fields import ROW
from trainables.plan import Batch, Plan, Stage

PAPER = "https://arxiv.org/abs/2309.17002"
STAGE = Stage.BATCH
OFF = {"share": 0.0}
TRIED = ({"share": 0.3},)
PER_WORKER = None


def apply(plan: Plan, *, share: float = 0.0, seed: int = 0) -> Plan:
    """Give each image another class than its own with probability ``share``.

    Args:
        plan: the plan so far.
        share: of the images, in [0, 1].
        seed: of which images, and of their classes: an image keeps its wrong label in every epoch and every training.

    Raises:
        ValueError: the share is outside [0, 1].
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"recipe.label_noise.share is in [0, 1], given {share}")

    def mislabel(batch: Batch, generator: torch.Generator) -> Batch:
        classes = batch.target_BK.shape[1]
        drawn_B2 = np.array([_drawn(seed, row) for row in batch.fields[ROW].tolist()])
        drawn = torch.from_numpy(drawn_B2).to(batch.target_BK)
        other_B = (batch.target_BK.argmax(dim=1) + 1 + (drawn[:, 1] * (classes - 1)).long()) % classes
        wrong_BK = F.one_hot(other_B, classes).to(batch.target_BK.dtype)
        target_BK = torch.where((drawn[:, 0] < share)[:, None], wrong_BK, batch.target_BK)
        others = {name: value for name, value in batch.fields.items() if name != ROW}
        return replace(batch, target_BK=target_BK, fields=others)

    if not share:
        return plan
    return replace(plan, transforms=(*plan.transforms, mislabel), fields=plan.fields | {ROW})


def _drawn(seed: int, row: int) -> tuple[float, float]:
    """Two numbers in [0, 1) that belong to an image: whether its label is wrong, and which one it is."""
    first, second = np.random.SeedSequence([seed, row]).generate_state(2)
    return float(first) / 2**32, float(second) / 2**32
