"""Cross-entropy with target probabilities."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._freezing import freeze_unused
from trainables.plan import Batch

PAPER = "none: the usual objective"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = True
NEEDS = ()


def passes() -> float:
    """One pass an image."""
    return 1.0


def objective(network: Deployable, *, classes: int | None = None) -> nn.Module:
    """Mean cross-entropy between the targets and class scores.

    Args:
        network: whose class scores they are.
        classes: of a pretraining source that names things: a linear layer above the pooled features scores these, and
            the classifier is frozen. Where a picture shows several, each has an equal share of the target.
    """
    return _Supervised(network) if classes is None else _OfThings(network, classes)


class _Supervised(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        return F.cross_entropy(self.network(batch.image_BCHW), batch.target_BK)


class _OfThings(nn.Module):
    def __init__(self, network: Deployable, classes: int) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head = nn.Linear(network.width, classes)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        share_BK = batch.target_BK / batch.target_BK.sum(dim=1, keepdim=True)
        return F.cross_entropy(self.head(self.network.pooled(batch.image_BCHW)), share_BK)
