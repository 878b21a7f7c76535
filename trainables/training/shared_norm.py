"""Batch normalisation over the images of all workers, so that several workers train what one would.

torch's ``SyncBatchNorm`` does not run on CPUs, and its conversion drops the activation that timm's layers hold. Here
nothing is converted: inside ``SharedStatistics`` every call of ``torch.nn.functional.batch_norm`` is answered with the
statistics of all workers, on every device, whichever layer makes it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class SharedStatistics(TorchFunctionMode):
    """A context in which batch statistics are those of all workers, which have to make the same calls in turn."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Answer training calls of ``batch_norm``; hand on all others."""
        if func is F.batch_norm:
            return _batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``torch.nn.functional.batch_norm``, whose signature and names these are."""
    if not training:
        return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    normal: Tensor
    # As torch does, in float32 at least: sums over many images do not fit into bfloat16.
    exact = input.to(torch.promote_types(input.dtype, torch.float32))
    normal, mean_C, var_C, count = _Normalised.apply(exact, eps)
    if running_mean is not None and running_var is not None:
        running_mean.lerp_(mean_C, momentum)
        running_var.lerp_(var_C * (count / (count - 1)), momentum)
    shape = (1, -1, *(1 for _ in input.shape[2:]))
    if weight is not None:
        normal = normal * weight.view(shape)
    if bias is not None:
        normal = normal + bias.view(shape)
    return normal.to(input.dtype)


class _Normalised(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) by channel, over the x of all workers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        over = [axis for axis in range(x.dim()) if axis != 1]
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        own = x.numel() // x.shape[1]
        own_C = x.sum(over) / max(own, 1)  # a worker may have no image of a last batch
        spread_C = (x - own_C.view(shape)).square().sum(over)
        mine = torch.cat([own_C, spread_C, x.new_tensor([own])])
        # One exchange for means and variances: what is sent has as many numbers as channels, so each costs its latency.
        of_all = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(of_all, mine)
        mean_WC, spread_WC, count_W1 = torch.split(torch.stack(of_all), [x.shape[1], x.shape[1], 1], dim=1)
        count = count_W1.sum()
        mean_C = (mean_WC * count_W1).sum(0) / count
        # Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983: the spreads of parts.
        var_C = (spread_WC + count_W1 * (mean_WC - mean_C).square()).sum(0) / count
        scale_C = (var_C + eps).rsqrt()
        normal = (x - mean_C.view(shape)) * scale_C.view(shape)
        ctx.save_for_backward(normal, scale_C, count)
        ctx.mark_non_differentiable(mean_C, var_C, count)
        return normal, mean_C, var_C, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *unused: Tensor) -> tuple[Tensor, None]:
        normal, scale_C, count = ctx.saved_tensors
        over = [axis for axis in range(normal.dim()) if axis != 1]
        shape = (1, -1, *(1 for _ in normal.shape[2:]))
        sums_2C = torch.stack([gradient.sum(over), (gradient * normal).sum(over)])
        dist.all_reduce(sums_2C)
        mean_2C = sums_2C / count
        return (gradient - mean_2C[0].view(shape) - normal * mean_2C[1].view(shape)) * scale_C.view(shape), None
