"""SimCLRv2's third step (Chen et al. 2020): a student learns the teacher's soft labels of images without labels.

It reads no targets, so it is trained on all images, also on those whose labels are not known.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.objectives._teaching import Taught, one_pass

PAPER = "https://arxiv.org/abs/2006.10029"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = "scores"
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
passes = one_pass


def objective(
    network: nn.Module,
    *,
    teacher: nn.Module,
    distillation_weight: float = 1.0,
    label_weight: float = 0.0,
    temperature: float = 1.0,
) -> nn.Module:
    """``distillation_weight`` times the mean of -sum softmax(teacher / T) log softmax(student / T).

    Args:
        network: the student.
        teacher: a network in evaluation mode with the same classes; neither trained nor kept in checkpoints.
        distillation_weight: factor of the loss.
        label_weight: only 0 is taken: there are no labels.
        temperature: divides both networks' scores before the softmax.

    Raises:
        ValueError: a weight for labels.
    """
    if label_weight:
        raise ValueError(f"unlabelled_distillation reads no labels: label_weight is 0, given {label_weight}")

    def divergence(score_BK: Tensor, teacher_BK: Tensor) -> Tensor:
        return F.cross_entropy(score_BK / temperature, (teacher_BK / temperature).softmax(dim=1))

    return Taught(network, teacher, divergence, distillation_weight=distillation_weight, label_weight=label_weight)
