"""DIST (Huang et al. 2022): relations instead of values, for a teacher far larger than the student.

The correlation of class probabilities within each image (inter-class) and of each class over the images (intra-class).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.objectives._teaching import Taught, one_pass

PAPER = "https://arxiv.org/abs/2205.10536"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = "scores"
SOURCE = "own"
PER_WORKER = "each worker correlates classes over its own images"
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
    """``distillation_weight`` T^2 (inter + intra) + ``label_weight`` cross-entropy, both relations 1 - correlation.

    Args:
        network: the student.
        teacher: a network in evaluation mode with the same classes; neither trained nor kept in checkpoints.
        distillation_weight: weight of the divergence from the teacher.
        label_weight: weight of the cross-entropy with the targets; at 0 they are not read.
        temperature: divides both networks' scores before the softmax.
    """

    def divergence(score_BK: Tensor, teacher_BK: Tensor) -> Tensor:
        student_BK = (score_BK / temperature).softmax(dim=1)
        target_BK = (teacher_BK / temperature).softmax(dim=1)
        relations = unlike(student_BK, target_BK) + unlike(student_BK.T, target_BK.T)
        return temperature**2 * relations

    return Taught(network, teacher, divergence, distillation_weight=distillation_weight, label_weight=label_weight)


def unlike(one_NM: Tensor, other_NM: Tensor) -> Tensor:
    """Mean over the rows of 1 - Pearson's correlation; 1 for a row without variance."""
    one_NM, other_NM = (rows_NM - rows_NM.mean(dim=1, keepdim=True) for rows_NM in (one_NM, other_NM))
    return 1 - F.cosine_similarity(one_NM, other_NM, dim=1).mean()
