"""SwAV: a view predicts to which prototypes Sinkhorn's algorithm assigns another view of the same image."""

from collections.abc import Mapping

import torch
import torch.distributed as dist
import torch.nn.functional as F
from lightly.loss import SwaVLoss
from lightly.utils.dist import gather, rank, world_size
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._collapse import LEAST_INFORMATION, Spread, Use
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._projection import Projection
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2006.09882"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()

SMALL_AREA = (0.05, 0.14)
"""Least and largest share of an image that a small crop shows."""


def passes(*, crops: int = 0, **knobs: object) -> float:
    """Two large views an image, and small crops of a quarter of the pixels, each a quarter of a pass."""
    del knobs
    return 2.0 + crops / 4


def objective(
    network: Deployable,
    *,
    prototypes: int = 30,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    rounds: int = 3,
    queue: int = 0,
    frozen_steps: int = 10,
    crops: int = 0,
    layers: int = 2,
    kappa: float = 1.0,
    width: int = 64,
    crop: float = 0.6,
    jitter: float = 0.2,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Swapped prediction of codes, which are computed over the images of all workers.

    Prototypes are normalised where they are used, in place of after every step. The views are milder than the paper's,
    which suit images of 224 pixels: at 16 pixels, crops from 0.3 and a jitter of 0.4 end at uniform codes.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        prototypes: how many.
        temperature: divides the cosines in the prediction.
        epsilon, rounds: smoothness and iterations of the assignment.
        queue: earlier images whose codes are computed with those of a batch, once there are as many; for batches that
            are not several times as large as ``prototypes``.
        frozen_steps: first steps in which the prototypes stay as they are.
        crops: further small views, of a twentieth to a seventh of the area, that only predict; of half the side, which
            only networks that take images of any size can see.
        layers, kappa, width: of the projection, see ``trainables.objectives._projection``.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``; ``crop`` of the large ones.

    Raises:
        ValueError: fewer than 2 prototypes, or less than no queue.
    """
    if prototypes < 2 or min(queue, frozen_steps, crops) < 0:
        raise ValueError(
            "swav needs at least 2 prototypes, and a queue, frozen_steps and crops of 0 or more, given "
            f"{prototypes}, {queue}, {frozen_steps} and {crops}"
        )
    return _SwAV(
        network,
        Projection(network.width, width=width, layers=layers, kappa=kappa, norm=False),
        SwaVLoss(temperature, rounds, epsilon, sinkhorn_gather_distributed=True),
        prototypes=prototypes,
        queue=queue,
        frozen_steps=frozen_steps,
        crops=crops,
        views=Views(crop=crop, jitter=jitter, flip=flip, colour=colour),
    )


class _SwAV(nn.Module):
    queue_VQE: Tensor
    queued: Tensor
    step: Tensor

    def __init__(
        self,
        network: Deployable,
        head: Projection,
        loss: SwaVLoss,
        *,
        prototypes: int,
        queue: int,
        frozen_steps: int,
        crops: int,
        views: Views,
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head = head
        self.prototypes = nn.Linear(head.outputs, prototypes, bias=False)
        self.register_buffer("queue_VQE", torch.zeros(2, queue, head.outputs))
        self.register_buffer("queued", torch.zeros((), dtype=torch.int64))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self._loss, self._frozen_steps, self._crops, self._views = loss, frozen_steps, crops, views
        self._spread, self._use = Spread(), Use(prototypes)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        count = len(batch.image_BCHW)
        feature_NF = self._features(batch.image_BCHW, generator)
        projected_NE = F.normalize(self.head(feature_NF))
        weight_PE = F.normalize(self._prototypes())
        score_NP = F.linear(projected_NE, weight_PE)
        scores = list(torch.split(score_NP, count))
        earlier = self._earlier(weight_PE)
        loss: Tensor = self._loss(scores[:2], scores[2:], earlier)
        if self.training:
            self.step += 1
            self._remember(projected_NE[: 2 * count])
            self._spread.note(feature_NF[:count], projected_NE[:count])
            self._use.note((score_NP[: 2 * count].detach() / self._loss.temperature).softmax(dim=1))
        return loss.squeeze(0)

    def watched(self) -> dict[str, float]:
        """Of the epoch: entropies of the use of prototypes, see ``Use``, and of the last batch the spread."""
        return {**self._spread.values(), **self._use.values()}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That the prototypes do not tell images apart, if so."""
        information = values["prototype_entropy"] - values["image_entropy"]
        if information >= LEAST_INFORMATION:
            return None
        return (
            f"swav collapsed: its prototypes say {information:.1%} of what they could say about an image (entropy of "
            f"their use {values['prototype_entropy']:.2f}, of one image's prediction {values['image_entropy']:.2f}, "
            "1 is uniform); use milder views, with a larger crop and a smaller jitter"
        )

    def _features(self, image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        large = torch.cat([self._views.of(image_BCHW, generator, number=number) for number in range(2)])
        pooled = [self.network.pooled(large)]
        if self._crops:
            side = max(1, self.network.resolution // 2)
            small = self._views.smalls(image_BCHW, generator, count=self._crops, side=side, area=SMALL_AREA)
            pooled.append(self.network.pooled(small, side=side))
        return torch.cat(pooled)

    def _prototypes(self) -> Tensor:
        """The prototypes; at first with a gradient of zero, since workers need one."""
        weight_PE = self.prototypes.weight
        frozen = self.training and int(self.step) < self._frozen_steps
        return weight_PE.detach() + 0 * weight_PE if frozen else weight_PE

    def _earlier(self, weight_PE: Tensor) -> list[Tensor] | None:
        """Scores of this worker's part of the images in the queue, once it is full."""
        length = self.queue_VQE.shape[1]
        if not self.training or not length or int(self.queued) < length:
            return None
        part_VQE = self.queue_VQE[:, rank() :: world_size()]
        return list(F.linear(part_VQE, weight_PE.detach()).unbind())

    @torch.no_grad()
    def _remember(self, projected_NE: Tensor) -> None:
        """The large views of all workers, newest first."""
        length = self.queue_VQE.shape[1]
        if not length:
            return
        new_VBE = projected_NE.detach().reshape(2, -1, projected_NE.shape[1])
        if dist.is_initialized() and world_size() > 1:
            new_VBE = torch.cat(gather(new_VBE.contiguous()), dim=1)
        self.queue_VQE.copy_(torch.cat([new_VBE, self.queue_VQE], dim=1)[:, :length])
        self.queued += new_VBE.shape[1]
