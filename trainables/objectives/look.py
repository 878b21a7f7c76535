"""LOOK: the nearest other images of an image's class, among its nearest in memory, are to weigh most.

A class may keep several modes, since only near classmates attract: leave-one-out k nearest neighbours as a loss.

No code of it was published; our own reading: the memory holds what a moving average makes of another view, and where
none of the k nearest is a classmate, the nearest classmate is added to them (where no other image is one, the image's
own other view), so that the loss stays finite.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._following import Follower
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._projection import Projection
from trainables.objectives._queue import gathered, own_rows
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2110.06014"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()

UNKNOWN = -1
"""The class of rows of the memory that hold no image yet."""


def passes(**knobs: object) -> float:
    """One view an image, and the follower's of another, which has no gradients."""
    del knobs
    return 4 / 3


def objective(
    network: Deployable,
    *,
    nearest: int = 32,
    temperature: float = 0.1,
    queue: int = 512,
    momentum: float = 0.99,
    layers: int = 1,
    width: int = 64,
    crop: float = 0.6,
    jitter: float = 0.2,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Mean of -log of the share of classmates in softmax(cosine / temperature) over the nearest images in memory.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        nearest: how many images of the memory and of the other images of the batch.
        temperature: divides the cosines.
        queue: earlier images in memory, beside the batch; 0 for the batch alone.
        momentum: share of the moving average that stays in a step.
        layers, width: of the projection, see ``trainables.objectives._projection``.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``.

    Raises:
        ValueError: a value out of range.
    """
    if nearest < 1 or queue < 0 or not temperature > 0 or not 0 <= momentum <= 1:
        raise ValueError(
            "look: nearest is at least 1, queue at least 0, temperature above 0 and momentum from 0 to 1, given "
            f"{nearest}, {queue}, {temperature} and {momentum}"
        )
    head = Projection(network.width, width=width, layers=layers, kappa=1.0, norm=False)
    return _Look(
        network, head, Views(crop=crop, jitter=jitter, flip=flip, colour=colour), nearest, temperature, queue, momentum
    )


def classmates_among_nearest(
    cosine_BM: Tensor, mate_BM: Tensor, itself_B: Tensor, nearest: int, temperature: float
) -> tuple[Tensor, Tensor]:
    """Loss of each image, and whether a classmate had to be added to its nearest.

    Args:
        cosine_BM: with the images in memory, minus infinity where there is none.
        mate_BM: which of them are of the same class.
        itself_B: each image's own place in memory, which stands for its classmates only where there is no other.
        nearest: how many of the others compete.
        temperature: divides the cosines.
    """
    itself_BM = torch.zeros_like(mate_BM).scatter(1, itself_B[:, None], True)
    other_BM = (cosine_BM > -torch.inf) & ~itself_BM
    mate_BM = mate_BM & other_BM
    mate_BM = torch.where(mate_BM.any(dim=1, keepdim=True), mate_BM, itself_BM)
    open_BM = cosine_BM.detach().masked_fill(~other_BM, -torch.inf)
    least_B1 = open_BM.topk(min(nearest, open_BM.shape[1]), dim=1).values[:, -1:]
    near_BM = (open_BM >= least_B1) & other_BM
    lacking_B = ~(near_BM & mate_BM).any(dim=1)
    of_mates_BM = cosine_BM.detach().masked_fill(~mate_BM, -torch.inf)
    added_BM = mate_BM & (of_mates_BM == of_mates_BM.amax(dim=1, keepdim=True)) & lacking_B[:, None]
    score_BM = (cosine_BM / temperature).masked_fill(~(near_BM | added_BM), -torch.inf)
    mate_score_BM = score_BM.masked_fill(~mate_BM, -torch.inf)
    return torch.logsumexp(score_BM, dim=1) - torch.logsumexp(mate_score_BM, dim=1), lacking_B


class _Look(nn.Module):
    memory_QE: Tensor
    class_Q: Tensor
    lacking: Tensor

    def __init__(
        self,
        network: Deployable,
        head: Projection,
        views: Views,
        nearest: int,
        temperature: float,
        queue: int,
        momentum: float,
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head = head
        self.follower = Follower(network, head)
        self.register_buffer("memory_QE", torch.zeros(queue, head.outputs))
        self.register_buffer("class_Q", torch.full((queue,), UNKNOWN))
        self.register_buffer("lacking", torch.zeros(()))
        self._views, self._nearest, self._temperature, self._momentum = views, nearest, temperature, momentum
        self._spread = Spread()

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        if self.training:
            self.follower.follow(self.network, self.head, momentum=self._momentum)
        first, second = (self._views.of(batch.image_BCHW, generator, number=number) for number in range(2))
        feature_BF = self.network.pooled(first)
        own_BE = F.normalize(self.head(feature_BF))
        class_B = batch.target_BK.argmax(dim=1)
        new_NE, new_N = gathered(self.follower.keys(second)), gathered(class_B)
        known_ME, class_M = torch.cat([new_NE, self.memory_QE]), torch.cat([new_N, self.class_Q])
        itself_B = own_rows(len(own_BE), own_BE.device)
        cosine_BM = (own_BE @ known_ME.T).masked_fill(class_M == UNKNOWN, -torch.inf)
        mate_BM = class_B[:, None] == class_M
        loss_B, lacking_B = classmates_among_nearest(cosine_BM, mate_BM, itself_B, self._nearest, self._temperature)
        if self.training:
            self._remember(new_NE, new_N, lacking_B)
            self._spread.note(feature_BF, own_BE)
        return loss_B.mean()

    @torch.no_grad()
    def _remember(self, new_NE: Tensor, new_N: Tensor, lacking_B: Tensor) -> None:
        """The batch of all workers in place of the oldest, and the share of images without a near classmate."""
        length = len(self.class_Q)
        self.memory_QE.copy_(torch.cat([new_NE, self.memory_QE])[:length])
        self.class_Q.copy_(torch.cat([new_N, self.class_Q])[:length])
        self.lacking.copy_(gathered(lacking_B.float()).mean())

    def watched(self) -> dict[str, float]:
        """Of the last batch: ranks, the spread, and the share of images that had no classmate among their nearest."""
        return {**self._spread.values(), "without_classmate": float(self.lacking)}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That all projections are alike, if so."""
        return alike("look", values)
