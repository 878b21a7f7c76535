"""SimCLR with a projection of any depth, as SimCLRv2 has it: two views of an image are each other's positive.

Where the architecture has a ``neck``, that is the projection's first layer: it stays for what follows, so fine-tuning
starts from there as SimCLRv2's does.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from lightly.loss import NTXentLoss
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._following import Follower
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._projection import Projection
from trainables.objectives._queue import Queue, gathered, own_rows
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2006.10029"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = (("memory", "memory", 1),)


def passes(*, memory: int = 0, **knobs: object) -> float:
    """Two views an image; with a memory the second goes through a network without gradients, for a third of a pass."""
    del knobs
    return 4 / 3 if memory else 2.0


def objective(
    network: Deployable,
    *,
    temperature: float = 0.5,
    layers: int = 2,
    kappa: float = 1.0,
    width: int = 64,
    crop: float = 0.3,
    jitter: float = 0.4,
    flip: float = 0.0,
    colour: str = "none",
    memory: int = 0,
    momentum: float = 0.99,
) -> nn.Module:
    """NT-Xent between two views, with negatives from all workers; lightly's mean over views, half the paper's sum.

    With a memory, SimCLRv2's from MoCo, the second view goes through a moving average of network and projection, and
    the first is told from the second views of all other images and of those that are remembered.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        temperature: divides the cosines.
        layers, kappa, width: of the projection, see ``trainables.objectives._projection``; the architecture's ``neck``
            is the first of the layers.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``.
        memory: projections of earlier images that are remembered as negatives; 0 is off.
        momentum: share of the moving average that stays in a step, with a memory.

    Raises:
        ValueError: a negative memory, or a momentum outside [0, 1].
    """
    if memory < 0 or not 0 <= momentum <= 1:
        raise ValueError(f"simclr: memory is 0 or more and momentum from 0 to 1, given {memory} and {momentum}")
    layers_above = layers - 1 if network.has_neck and layers > 0 else layers
    head = Projection(network.width, width=width, layers=layers_above, kappa=kappa, norm=True)
    views = Views(crop=crop, jitter=jitter, flip=flip, colour=colour)
    if memory:
        return _Remembering(network, temperature, head, views, memory, momentum)
    return _SimCLR(network, temperature, head, views)


class _SimCLR(nn.Module):
    def __init__(self, network: Deployable, temperature: float, head: Projection, views: Views) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head = head
        self._loss = NTXentLoss(temperature=temperature, gather_distributed=True)
        self._views = views
        self._spread = Spread()

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        views = [self._views.of(batch.image_BCHW, generator, number=number) for number in range(2)]
        feature_NF = self.network.pooled(torch.cat(views))
        first_BE, second_BE = self.head(feature_NF).chunk(2)
        if self.training:
            self._spread.note(feature_NF.chunk(2)[0], first_BE)
        loss: Tensor = self._loss(first_BE, second_BE)
        return loss

    def watched(self) -> dict[str, float]:
        """Of the last batch: ranks before and after the projection, and its spread."""
        return self._spread.values()

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That all projections are alike, if so."""
        return alike("simclr", values)


class _Remembering(_SimCLR):
    def __init__(
        self, network: Deployable, temperature: float, head: Projection, views: Views, memory: int, momentum: float
    ) -> None:
        super().__init__(network, temperature, head, views)
        self.keys, self.queue = Follower(network, head), Queue(memory, head.outputs)
        self._temperature, self._momentum = temperature, momentum

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        first, second = (self._views.of(batch.image_BCHW, generator, number=number) for number in range(2))
        feature_BF = self.network.pooled(first)
        own_BE = self.head(feature_BF)
        if self.training:
            self.keys.follow(self.network, self.head, momentum=self._momentum)
        key_BE = self.keys.keys(second)
        if self.training:
            self._spread.note(feature_BF, own_BE)
        loss = among_all(own_BE, key_BE, self.queue.row_QE, self._temperature)
        if self.training:
            self.queue.remember(key_BE)
        return loss


def among_all(own_BE: Tensor, key_BE: Tensor, earlier_QE: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of telling each row's key from those of all workers' other images and from earlier ones."""
    known_ME = torch.cat([gathered(key_BE), earlier_QE])
    score_BM = F.normalize(own_BE) @ known_ME.T / temperature
    return F.cross_entropy(score_BM, own_rows(len(own_BE), own_BE.device))
