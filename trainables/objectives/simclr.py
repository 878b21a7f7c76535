"""SimCLR with a projection of any depth, as SimCLRv2 has it: two views of an image are each other's positive.

Where the architecture has a ``neck``, that is the projection's first layer: it stays for what follows, so fine-tuning
starts from there as SimCLRv2's does.
"""

from collections.abc import Mapping

import torch
from lightly.loss import NTXentLoss
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._projection import Projection
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


def passes(**knobs: object) -> float:
    """Two views an image."""
    del knobs
    return 2.0


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
) -> nn.Module:
    """NT-Xent between two views, with negatives from all workers; lightly's mean over views, half the paper's sum.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        temperature: divides the cosines.
        layers, kappa, width: of the projection, see ``trainables.objectives._projection``; the architecture's ``neck``
            is the first of the layers.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``.
    """
    layers_above = layers - 1 if network.has_neck and layers > 0 else layers
    head = Projection(network.width, width=width, layers=layers_above, kappa=kappa, norm=True)
    return _SimCLR(network, temperature, head, Views(crop=crop, jitter=jitter, flip=flip, colour=colour))


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
