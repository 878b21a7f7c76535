"""Cross-entropy with target probabilities."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.plan import Batch

PAPER = "none: the usual objective"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = True


def passes() -> float:
    """One pass an image."""
    return 1.0


def objective(network: nn.Module) -> nn.Module:
    """Mean cross-entropy between the targets and the network's class scores."""
    return _Supervised(network)


class _Supervised(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        return F.cross_entropy(self.network(batch.image_BCHW), batch.target_BK)
