"""Knowledge distillation (Hinton et al. 2015) with FBNetV3's weights: 0.8 distillation + 0.2 cross-entropy.

The teacher sees the same augmented and mixed images as the student (Beyer et al. 2022).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.objectives._teaching import Taught, one_pass

PAPER = "https://arxiv.org/abs/1503.02531"
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
    """``distillation_weight`` T^2 KL(teacher || student) + ``label_weight`` cross-entropy, means over the batch.

    Args:
        network: the student.
        teacher: a network in evaluation mode with the same classes; neither trained nor kept in checkpoints.
        distillation_weight: weight of the divergence from the teacher.
        label_weight: weight of the cross-entropy with the targets; at 0 they are not read.
        temperature: divides both networks' scores in the divergence.
    """

    def divergence(score_BK: Tensor, teacher_BK: Tensor) -> Tensor:
        student_BK = (score_BK / temperature).log_softmax(dim=1)
        target_BK = (teacher_BK / temperature).log_softmax(dim=1)
        return F.kl_div(student_BK, target_BK, log_target=True, reduction="batchmean") * temperature**2

    return Taught(network, teacher, divergence, distillation_weight=distillation_weight, label_weight=label_weight)
