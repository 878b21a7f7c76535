"""Knowledge distillation (Hinton et al. 2015) with FBNetV3's weights: 0.8 distillation + 0.2 cross-entropy.

The teacher sees the same augmented and mixed images as the student (Beyer et al. 2022).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/1503.02531"
LABELS = True
SUPPORTS = ("map", "tokens")


def passes(**knobs: object) -> float:
    """One pass of the student an image; the teacher's forward pass is not counted."""
    del knobs
    return 1.0


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
        label_weight: weight of the cross-entropy with the targets.
        temperature: divides both networks' scores in the divergence.
    """
    return _Distillation(network, teacher, distillation_weight, label_weight, temperature)


class _Distillation(nn.Module):
    def __init__(
        self,
        network: nn.Module,
        teacher: nn.Module,
        distillation_weight: float,
        label_weight: float,
        temperature: float,
    ) -> None:
        super().__init__()
        self.network = network
        self._teacher = (teacher,)  # in a tuple, so that it is no submodule: it keeps its mode and is not saved
        self._weights = (distillation_weight, label_weight)
        self._temperature = temperature

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        score_BK = self.network(batch.image_BCHW)
        with torch.no_grad():
            teacher_BK = F.log_softmax(self._teacher[0](batch.image_BCHW) / self._temperature, dim=1)
        student_BK = F.log_softmax(score_BK / self._temperature, dim=1)
        divergence = F.kl_div(student_BK, teacher_BK, log_target=True, reduction="batchmean") * self._temperature**2
        distilled, labelled = self._weights
        return distilled * divergence + labelled * F.cross_entropy(score_BK, batch.target_BK)
