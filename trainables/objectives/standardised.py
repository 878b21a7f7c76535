"""Logit standardisation (Sun et al. 2024): scores are compared by z-scores, whatever their scale."""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.objectives._teaching import Taught, one_pass

PAPER = "https://arxiv.org/abs/2403.01427"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = "scores"
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()
passes = one_pass
SMALLEST_STD = 1e-7


def objective(
    network: nn.Module,
    *,
    teacher: nn.Module,
    distillation_weight: float = 0.8,
    label_weight: float = 0.2,
    temperature: float = 1.0,
) -> nn.Module:
    """``distillation_weight`` T^2 KL of the z-scores + ``label_weight`` cross-entropy, means over the batch.

    Args:
        network: the student.
        teacher: a network in evaluation mode with the same classes; neither trained nor kept in checkpoints.
        distillation_weight: weight of the divergence from the teacher.
        label_weight: weight of the cross-entropy with the targets; at 0 they are not read.
        temperature: divides the z-scores of both networks.
    """

    def divergence(score_BK: Tensor, teacher_BK: Tensor) -> Tensor:
        student_BK = (standardised(score_BK) / temperature).log_softmax(dim=1)
        target_BK = (standardised(teacher_BK) / temperature).log_softmax(dim=1)
        return temperature**2 * F.kl_div(student_BK, target_BK, log_target=True, reduction="batchmean")

    return Taught(network, teacher, divergence, distillation_weight=distillation_weight, label_weight=label_weight)


def standardised(score_BK: Tensor) -> Tensor:
    """Each row less its mean, divided by its standard deviation (of the sample)."""
    return (score_BK - score_BK.mean(dim=1, keepdim=True)) / (score_BK.std(dim=1, keepdim=True) + SMALLEST_STD)
