"""Networks that follow a trained one as a moving average of its weights: teachers and key encoders."""

import math
from collections.abc import Iterator
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.deploy import Deployable


class Follower(nn.Module):
    """Copies of modules, without gradients, whose weights follow those of the modules; checkpoints keep them.

    Layers of batch normalisation are in the objective's mode: while it is trained they normalise by their own batches,
    and their running statistics are of those. All else is as in evaluation, so that no dropout disturbs a target.

    Args:
        leaders: what is followed; the copies are ``copies``, in the same order.
    """

    def __init__(self, *leaders: nn.Module) -> None:
        super().__init__()
        self.copies = nn.ModuleList([deepcopy(leader) for leader in leaders]).requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Follower":
        """Put layers of batch normalisation into training mode, and nothing else."""
        super().train(False)
        self.training = mode
        for module in self.copies.modules():
            if isinstance(module, _BatchNorm):
                module.training = mode
        return self

    @torch.no_grad()
    def follow(self, *leaders: nn.Module, momentum: float) -> None:
        """Keep a share of ``momentum``, in [0, 1], of every weight and take the rest from its leader.

        An objective calls it at the start of ``forward`` in training, where the first call changes nothing.
        """
        own: list[Tensor] = list(self.copies.parameters())
        torch._foreach_lerp_(own, list(_weights(leaders)), weight=1.0 - momentum)

    @torch.no_grad()
    def keys(self, image_BCHW: Tensor) -> Tensor:
        """Directions of images, by the copies of a network and of the head on its pooled features, shape (B, E)."""
        network, head = self.copies
        assert isinstance(network, Deployable)
        key_BE: Tensor = head(network.pooled(image_BCHW))
        return F.normalize(key_BE)


def _weights(modules: tuple[nn.Module, ...]) -> Iterator[Tensor]:
    for module in modules:
        yield from module.parameters()


def rising(start: float, progress: float) -> float:
    """1 - (1 - ``start``) (cos(pi ``progress``) + 1) / 2: a momentum that ends at 1, as DINO's does."""
    return 1.0 - (1.0 - start) * (math.cos(math.pi * progress) + 1.0) / 2.0
