"""The workers of one trial: which of them this is, and how they agree."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainables.training.shared_norm import SharedStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``size`` workers of which this is number ``rank``. More than one need an initialised process group."""

    rank: int = 0
    size: int = 1

    def wrap(self, network: nn.Module, device: torch.device, *, thaws: bool = False) -> nn.Module:
        """The network with averaged gradients.

        Args:
            network: what is trained.
            device: where.
            thaws: whether some of its parameters are not trained at times.
        """
        if self.size == 1:
            return network
        devices = [device.index] if device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices, find_unused_parameters=thaws)

    def together(self) -> AbstractContextManager[Any]:
        """Inside, batch statistics are those of the images of all workers."""
        return nullcontext() if self.size == 1 else SharedStatistics()

    def total(self, value: Tensor) -> Tensor:
        """Sum over the workers."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def align(self, network: nn.Module) -> None:
        """Give every worker the buffers (running statistics) of the first, so that all evaluate the same network."""
        if self.size > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    def barrier(self) -> None:
        """Wait for the other workers."""
        if self.size > 1:
            dist.barrier()
