"""SSLD (Cui et al. 2021): the student only agrees with the teacher, measured by the Jensen-Shannon divergence.

The paper uses no labels: at ``label_weight`` 0 all images are learnt from, also those without labels. 0.8 and 0.2 are
the defaults of all objectives with a teacher here.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.objectives._teaching import Taught, one_pass

PAPER = "https://arxiv.org/abs/2103.05959"
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


def objective(
    network: nn.Module,
    *,
    teacher: nn.Module,
    distillation_weight: float = 0.8,
    label_weight: float = 0.2,
    temperature: float = 1.0,
) -> nn.Module:
    """``distillation_weight`` T^2 JS(teacher, student) + ``label_weight`` cross-entropy, means over the batch.

    Args:
        network: the student.
        teacher: a network in evaluation mode with the same classes; neither trained nor kept in checkpoints.
        distillation_weight: weight of the divergence from the teacher.
        label_weight: weight of the cross-entropy with the targets; at 0 they are not read.
        temperature: divides both networks' scores in the divergence.
    """

    def divergence(score_BK: Tensor, teacher_BK: Tensor) -> Tensor:
        return temperature**2 * jensen_shannon(score_BK / temperature, teacher_BK / temperature)

    return Taught(network, teacher, divergence, distillation_weight=distillation_weight, label_weight=label_weight)


def jensen_shannon(one_BK: Tensor, other_BK: Tensor) -> Tensor:
    """Mean divergence of two networks' class probabilities from their mean, in nats: 0 if equal, at most log 2."""
    one_BK, other_BK = one_BK.log_softmax(dim=1), other_BK.log_softmax(dim=1)
    middle_BK = torch.logaddexp(one_BK, other_BK) - math.log(2.0)
    parts = [F.kl_div(middle_BK, part, log_target=True, reduction="batchmean") for part in (one_BK, other_BK)]
    return (parts[0] + parts[1]) / 2
