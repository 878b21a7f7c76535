"""SimCLR with a projection of any depth, as SimCLRv2 has it: two views of an image are each other's positive.

Where the architecture has a ``neck``, that is the projection's first layer: it stays for what follows, so fine-tuning
starts from there as SimCLRv2's does.
"""

from typing import Any

import torch
from lightly.loss import NTXentLoss
from lightly.models.modules.heads import ProjectionHead, SimCLRProjectionHead
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._views import view
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2006.10029"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False


def passes(**knobs: object) -> float:
    """Two views an image."""
    del knobs
    return 2.0


def objective(
    network: Deployable,
    *,
    temperature: float = 0.5,
    layers: int = 2,
    width: int = 64,
    crop: float = 0.3,
    jitter: float = 0.4,
    flip: float = 0.0,
) -> nn.Module:
    """NT-Xent between two views, with negatives from all workers; lightly's mean over views, half the paper's sum.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        temperature: divides the cosines.
        layers: linear layers of the projection, at least 2; the architecture's ``neck`` is one of them.
        width: of the projection's layers; the last is at most 128 wide.
        crop, jitter, flip: of the views, see ``trainables.objectives._views``.

    Raises:
        ValueError: a projection of fewer than two layers.
    """
    if layers < 2:
        raise ValueError(f"pretraining.simclr.layers is {layers}; a projection has at least 2")
    return _SimCLR(network, temperature, layers, width, {"crop": crop, "jitter": jitter, "flip": flip})


def _projection(inputs: int, width: int, layers: int) -> nn.Module:
    outputs = min(width, 128)
    head: nn.Module = (
        ProjectionHead([(inputs, outputs, nn.BatchNorm1d(outputs), None)])
        if layers == 1
        else SimCLRProjectionHead(inputs, width, outputs, num_layers=layers)
    )
    return head


class _SimCLR(nn.Module):
    def __init__(self, network: Deployable, temperature: float, layers: int, width: int, views: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head = _projection(network.width, width, layers - network.has_neck)
        self._loss = NTXentLoss(temperature=temperature, gather_distributed=True)
        self._views = views

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        views = [view(batch.image_BCHW, generator, **self._views) for _ in range(2)]
        first_BE, second_BE = self.head(self.network.pooled(torch.cat(views))).chunk(2)
        loss: Tensor = self._loss(first_BE, second_BE)
        return loss
