"""Feature distillation: the student's pooled features, through a trained linear map, point where the teacher's do.

FitNets' regressor (Romero et al. 2015) on the features below the classifier, both scaled to length 1.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._teaching import Taught, one_pass

PAPER = "https://arxiv.org/abs/1412.6550"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = "features"
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()
passes = one_pass


def objective(
    network: Deployable,
    *,
    teacher: nn.Module,
    distillation_weight: float = 0.8,
    label_weight: float = 0.2,
    temperature: float = 1.0,
) -> nn.Module:
    """``distillation_weight`` |a - b|^2 + ``label_weight`` cross-entropy, a and b the two features of length 1.

    The squared distance is the mean over the batch of the sum over features (2 - 2 cosine), so that its weight means
    the same for teachers of any width.

    Args:
        network: the student.
        teacher: one network in evaluation mode that offers its features; neither trained nor kept in checkpoints.
        distillation_weight: weight of the distance from the teacher.
        label_weight: weight of the cross-entropy with the targets, above 0: nothing else trains the classifier.
        temperature: there is none, so only 1 is taken.

    Raises:
        ValueError: a teacher without features, a temperature, or no weight for the labels.
    """
    if not isinstance(teacher, Deployable):
        raise ValueError(
            f"feature_distillation compares features, which stored targets and ensembles do not hold: give it one "
            f"teacher without stored targets, not {type(teacher).__name__}"
        )
    if temperature != 1.0 or not label_weight > 0:
        raise ValueError(
            f"feature_distillation takes temperature 1 and a label_weight above 0, given {temperature} and "
            f"{label_weight}"
        )
    distance = Distance(network.width, teacher.width).to(network.mean.device)
    distance.requires_grad_(distillation_weight > 0)
    return Taught(
        network,
        teacher,
        distance,
        distillation_weight=distillation_weight,
        label_weight=label_weight,
        answers=lambda body, image_BCHW: body.scores_and_pooled(image_BCHW),  # type: ignore[operator]
    )


class Distance(nn.Module):
    """Mean squared distance of the student's projected features, shape (B, S), from the teacher's, shape (B, T)."""

    def __init__(self, student: int, teacher: int) -> None:
        super().__init__()
        self.projection = nn.Linear(student, teacher)

    def forward(self, student_BS: Tensor, teacher_BT: Tensor) -> Tensor:
        """Between 0 and 4."""
        apart_BT = F.normalize(self.projection(student_BS), dim=1) - F.normalize(teacher_BT, dim=1)
        return apart_BT.square().sum(dim=1).mean()
