"""Knowledge distillation (Hinton et al. 2015) with FBNetV3's weights: 0.8 distillation + 0.2 cross-entropy.

The teacher sees the same augmented and mixed images as the student (Beyer et al. 2022).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.plan import Batch


def loss(
    network: nn.Module,
    batch: Batch,
    *,
    teacher: nn.Module,
    distillation_weight: float = 0.8,
    label_weight: float = 0.2,
    temperature: float = 1.0,
) -> Tensor:
    """``distillation_weight`` T^2 KL(teacher || student) + ``label_weight`` cross-entropy, means over the batch.

    Args:
        network: the student.
        batch: images and target probabilities.
        teacher: a network in evaluation mode with the same classes.
        distillation_weight: weight of the divergence from the teacher.
        label_weight: weight of the cross-entropy with the targets.
        temperature: divides both networks' scores in the divergence.
    """
    score_BK = network(batch.image_BCHW)
    with torch.no_grad():
        teacher_BK = F.log_softmax(teacher(batch.image_BCHW) / temperature, dim=1)
    student_BK = F.log_softmax(score_BK / temperature, dim=1)
    divergence = F.kl_div(student_BK, teacher_BK, log_target=True, reduction="batchmean") * temperature**2
    return distillation_weight * divergence + label_weight * F.cross_entropy(score_BK, batch.target_BK)
