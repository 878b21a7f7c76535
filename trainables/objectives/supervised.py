"""Cross-entropy with target probabilities."""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.plan import Batch


def loss(network: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy between the targets and the network's class scores."""
    return F.cross_entropy(network(batch.image_BCHW), batch.target_BK)
