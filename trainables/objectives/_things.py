"""A linear layer above pooled features that scores known things: what a pretraining source's pictures show."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._freezing import freeze_unused
from trainables.plan import Batch


class Things(nn.Module):
    """An objective over such scores; the network's own classifier is frozen.

    Args:
        network: whose pooled features are trained.
        classes: how many things there are.
        loss: of scores and targets, each (B, ``classes``).
    """

    def __init__(self, network: Deployable, classes: int, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head = nn.Linear(network.width, classes)
        self._loss = loss

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        return self._loss(self.head(self.network.pooled(batch.image_BCHW)), batch.target_BK)
