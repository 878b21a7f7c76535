"""Vectors of earlier images, as negatives or as neighbours."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from lightly.utils.dist import gather, world_size
from torch import Tensor, nn


class Queue(nn.Module):
    """The newest ``length`` vectors of all workers, of length 1, newest first; checkpoints keep it.

    It begins with directions at random, as MoCo's does.
    """

    row_QE: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("row_QE", F.normalize(torch.randn(length, width)))

    @torch.no_grad()
    def remember(self, row_BE: Tensor) -> None:
        """Put the vectors of a batch, of all workers, in place of the oldest.

        Raises:
            ValueError: the batch is longer than the queue.
        """
        new_BE = gathered(F.normalize(row_BE.detach()))
        if len(new_BE) > len(self.row_QE):
            raise ValueError(
                f"a queue of {len(self.row_QE)} cannot hold a batch of {len(new_BE)} images, of all workers: make it "
                "longer, or batch.size smaller"
            )
        self.row_QE.copy_(torch.cat([new_BE, self.row_QE])[: len(self.row_QE)])


def gathered(row_BE: Tensor) -> Tensor:
    """The rows of all workers, without gradients."""
    if dist.is_initialized() and world_size() > 1:
        return torch.cat(gather(row_BE.contiguous()))
    return row_BE


def own_rows(count: int, device: torch.device) -> Tensor:
    """Where the ``count`` rows of this worker are among those ``gathered``."""
    rank = dist.get_rank() if dist.is_initialized() else 0
    return torch.arange(count, device=device) + rank * count


def told_apart(own_BE: Tensor, match_BE: Tensor, other_QE: Tensor, temperature: float) -> Tensor:
    """InfoNCE: mean cross-entropy of telling each row's match from the others by cosines over ``temperature``."""
    own_BE = F.normalize(own_BE)
    match_B1 = (own_BE * F.normalize(match_BE)).sum(dim=1, keepdim=True)
    score_BQ = torch.cat([match_B1, own_BE @ other_QE.T], dim=1) / temperature
    return F.cross_entropy(score_BQ, torch.zeros(len(own_BE), dtype=torch.int64, device=own_BE.device))
