"""The workers of one trial: which of them this is, and how they agree."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``size`` workers of which this is number ``rank``. More than one need an initialised process group."""

    rank: int = 0
    size: int = 1

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network with averaged gradients; batch statistics are shared where the device supports it."""
        if self.size == 1:
            return network
        if device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return DistributedDataParallel(network, device_ids=[device.index] if device.type == "cuda" else None)

    def total(self, value: Tensor) -> Tensor:
        """Sum over the workers."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def align(self, network: nn.Module) -> None:
        """Give every worker the buffers (running statistics) of the first, which are else each worker's own."""
        if self.size > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    def barrier(self) -> None:
        """Wait for the other workers."""
        if self.size > 1:
            dist.barrier()
