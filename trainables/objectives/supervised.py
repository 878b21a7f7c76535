"""Cross-entropy with target probabilities."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._things import Things
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
ORDERS = ()
AT_MOST = ()


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
    return _Supervised(network) if classes is None else Things(network, classes, _of_shares)


class _Supervised(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        return F.cross_entropy(self.network(batch.image_BCHW), batch.target_BK)


def _of_shares(score_BK: Tensor, target_BK: Tensor) -> Tensor:
    """Where a picture shows several things, each has an equal share of the target."""
    return F.cross_entropy(score_BK, target_BK / target_BK.sum(dim=1, keepdim=True))
