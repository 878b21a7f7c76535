"""SwAV: a view predicts to which prototypes Sinkhorn's algorithm assigns another view of the same image."""

from typing import Any

import torch
import torch.nn.functional as F
from lightly.loss import SwaVLoss
from lightly.models.modules.heads import SwaVProjectionHead
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._views import view
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2006.09882"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False


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
    crops: int = 0,
    width: int = 64,
    crop: float = 0.3,
    jitter: float = 0.4,
    flip: float = 0.0,
) -> nn.Module:
    """Swapped prediction of codes, which are computed over the images of all workers.

    Prototypes are normalised where they are used, in place of after every step.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        prototypes: how many.
        temperature: divides the cosines in the prediction.
        epsilon, rounds: smoothness and iterations of the assignment.
        crops: further small views that only predict; of half the side, which only networks that take images of any
            size can see.
        width: of the projection; its output is at most 128 wide.
        crop, jitter, flip: of the large views, see ``trainables.objectives._views``.
    """
    loss = SwaVLoss(temperature, rounds, epsilon, sinkhorn_gather_distributed=True)
    return _SwAV(network, loss, prototypes, crops, width, {"crop": crop, "jitter": jitter, "flip": flip})


class _SwAV(nn.Module):
    def __init__(
        self, network: Deployable, loss: nn.Module, prototypes: int, crops: int, width: int, views: dict[str, Any]
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head = SwaVProjectionHead(network.width, width, min(width, 128))
        self.prototypes = nn.Linear(min(width, 128), prototypes, bias=False)
        self._loss = loss
        self._crops = crops
        self._views = views

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        large = torch.cat([view(batch.image_BCHW, generator, **self._views) for _ in range(2)])
        pooled = [self.network.pooled(large)]
        if self._crops:
            side = max(1, self.network.resolution // 2)
            small = {**self._views, "crop": self._views["crop"] / 3}
            views = [view(batch.image_BCHW, generator, side=side, **small) for _ in range(self._crops)]
            pooled.append(self.network.pooled(torch.cat(views), side=side))
        projected_NE = F.normalize(self.head(torch.cat(pooled)))
        scores = torch.chunk(F.linear(projected_NE, F.normalize(self.prototypes.weight)), 2 + self._crops)
        loss: Tensor = self._loss(list(scores[:2]), list(scores[2:]))
        return loss.squeeze(0)
