"""A student learns the teacher's soft labels of images without labels: SimCLRv2's third step, TinyViT's pretraining.

It reads no targets, so it is trained on all images, also on those whose labels are not known. In a final training the
teachers are the family's. As a pretraining its teacher is named, may have other classes than the data, and is asked
once for each view in a whole search (Wu et al. 2022, https://arxiv.org/abs/2207.10666): what it answers is kept.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._fixed_views import FixedViews
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._teaching import one_pass
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2006.10029"
LABELS = False
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
    network: Deployable,
    *,
    teacher: nn.Module,
    classes: int | None = None,
    distillation_weight: float = 1.0,
    label_weight: float = 0.0,
    temperature: float = 1.0,
    top_k: int | None = None,
    views: int = 0,
    crop: float = 0.6,
    jitter: float = 0.2,
    flip: float = 0.0,
) -> nn.Module:
    """``distillation_weight`` times the mean of -sum softmax(teacher / T) log softmax(student / T).

    Args:
        network: the student.
        teacher: a network in evaluation mode; neither trained nor kept in checkpoints.
        classes: of the teacher, where they are not the data's: a linear layer above the features then has their scores,
            and the classifier is frozen.
        distillation_weight: factor of the loss.
        label_weight: only 0 is taken: there are no labels.
        temperature: divides both networks' scores before the softmax.
        top_k: how many of the teacher's largest class probabilities are kept, at temperature 1; what they leave is
            spread evenly over the other classes. All by default.
        views: each image has this many views, the same whenever it is seen, of which one is drawn in each step; 0 for
            the images as the recipe gives them.
        crop, jitter, flip: of these views, see ``trainables.objectives._views``.

    Raises:
        ValueError: a weight for labels, or a number below its least.
    """
    if label_weight:
        raise ValueError(f"unlabelled_distillation reads no labels: label_weight is 0, given {label_weight}")
    if views < 0 or (top_k is not None and top_k < 1):
        raise ValueError(f"unlabelled_distillation: views is 0 or more and top_k 1 or more, given {views} and {top_k}")

    if not distillation_weight > 0 or not temperature > 0:
        raise ValueError("unlabelled_distillation: distillation_weight and temperature are above 0")
    return _Student(
        network,
        teacher,
        head=None if classes is None else nn.Linear(network.width, classes),
        views=FixedViews(count=views, crop=crop, jitter=jitter, flip=flip) if views else None,
        loss=partial(soft_cross_entropy, weight=distillation_weight, temperature=temperature, top_k=top_k),
    )


def soft_cross_entropy(
    score_BK: Tensor, teacher_BK: Tensor, *, weight: float, temperature: float, top_k: int | None
) -> Tensor:
    """The objective's loss from both networks' scores."""
    target_BK = (largest(teacher_BK, top_k) / temperature).softmax(dim=1)
    return weight * F.cross_entropy(score_BK / temperature, target_BK)


def largest(score_BK: Tensor, top_k: int | None) -> Tensor:
    """Logarithms of class probabilities, of which only the largest are told apart."""
    log_BK = score_BK.log_softmax(dim=1)
    if top_k is None or top_k >= score_BK.shape[1]:
        return log_BK
    kept_BK, class_BK = log_BK.topk(top_k, dim=1)
    rest_B1 = (1 - kept_BK.exp().sum(dim=1, keepdim=True)).clamp(min=1e-8) / (score_BK.shape[1] - top_k)
    return rest_B1.log().expand_as(log_BK).scatter(1, class_BK, kept_BK)


class _Student(nn.Module):
    def __init__(
        self,
        network: Deployable,
        teacher: nn.Module,
        *,
        head: nn.Linear | None,
        views: FixedViews | None,
        loss: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.network = network
        if head is not None:
            freeze_unused(network, network.pooled)
        self.head = head
        self._teacher = (teacher,)  # in a tuple, so that it is no submodule: it keeps its mode and is not saved
        self._views, self._loss = views, loss

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image_BCHW = batch.image_BCHW if self._views is None else self._views.of(batch.image_BCHW, generator)
        score_BK = self.network(image_BCHW) if self.head is None else self.head(self.network.pooled(image_BCHW))
        with torch.no_grad():
            teacher_BK = self._teacher[0](image_BCHW)
        return self._loss(score_BK, teacher_BK)
