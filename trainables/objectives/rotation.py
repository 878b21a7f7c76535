"""Rotation prediction (Gidaris et al. 2018): which quarter turn an image was given, all four of every image."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._freezing import freeze_unused
from trainables.plan import Batch
from trainables.preprocessing import resize

PAPER = "https://arxiv.org/abs/1803.07728"
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
TURNS = 4


def passes() -> float:
    """Four turns an image."""
    return float(TURNS)


def objective(network: Deployable) -> nn.Module:
    """Mean cross-entropy over images and turns; a linear map of the pooled features tells the turn.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
    """
    return _Rotation(network)


class _Rotation(nn.Module):
    def __init__(self, network: Deployable) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head = nn.Linear(network.width, TURNS)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        # A square, which a turn leaves one.
        image_BCSS = resize(batch.image_BCHW, self.network.resolution, self.network.interpolation)
        turned = torch.cat([torch.rot90(image_BCSS, turn, dims=(2, 3)) for turn in range(TURNS)])
        turn_N = torch.arange(TURNS, device=turned.device).repeat_interleave(len(image_BCSS))
        return F.cross_entropy(self.head(self.network.pooled(turned)), turn_N)
