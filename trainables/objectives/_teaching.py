"""What objectives with a teacher share: both networks see one batch, and labels may have a part in the loss."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.plan import Batch

Divergence = Callable[[Tensor, Tensor], Tensor]
"""From what is compared of the student and of the teacher, e.g. scores of shape (B, K), to a mean over the batch."""

Answers = Callable[[nn.Module, Tensor], tuple[Tensor, Tensor]]
"""From a network and images to its class scores and to what is compared, which are the scores if nothing else is."""


def class_scores(network: nn.Module, image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Class scores, which are compared as well."""
    score_BK = network(image_BCHW)
    return score_BK, score_BK


def one_pass(**knobs: object) -> float:
    """One pass of the student an image; the teacher's forward pass is not counted."""
    del knobs
    return 1.0


class Taught(nn.Module):
    """``distillation_weight`` divergence(student, teacher) + ``label_weight`` cross-entropy.

    At a weight of zero its term is not computed, so that images without labels need no targets.

    Args:
        network: the student.
        teacher: in evaluation mode, with the same classes; neither trained nor kept in checkpoints.
        divergence: compares scores, or what else ``answers`` gives; a module's parameters are trained.
        answers: what is asked of both networks.
        distillation_weight, label_weight: of the two terms.
    """

    def __init__(
        self,
        network: nn.Module,
        teacher: nn.Module,
        divergence: Divergence,
        *,
        distillation_weight: float,
        label_weight: float,
        answers: Answers = class_scores,
    ) -> None:
        super().__init__()
        if min(distillation_weight, label_weight) < 0 or not distillation_weight + label_weight > 0:
            raise ValueError(
                f"weights of teacher and labels are at least 0 and not both 0, given {distillation_weight} and "
                f"{label_weight}"
            )
        self.network = network
        self._teacher = (teacher,)  # in a tuple, so that it is no submodule: it keeps its mode and is not saved
        self._divergence, self._answers = divergence, answers
        self._weights = (distillation_weight, label_weight)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        score_BK, own = self._answers(self.network, batch.image_BCHW)
        loss: Tensor = score_BK.new_zeros(())
        teacher_weight, label_weight = self._weights
        if teacher_weight:
            with torch.no_grad():
                _, target = self._answers(self._teacher[0], batch.image_BCHW)
            loss = loss + teacher_weight * self._divergence(own, target)
        if label_weight:
            loss = loss + label_weight * F.cross_entropy(score_BK, batch.target_BK)
        return loss
