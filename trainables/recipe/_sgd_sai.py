"""SGD-SaI: momentum SGD whose step sizes are scaled once, by tensor, from the first gradients."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

FLAT = 1e-6
"""A gradient whose deviation is below this share of its root mean square has no spread but rounding."""


class SGDSaI(torch.optim.Optimizer):
    """SGD with learning-rate scaling at initialisation (Xu et al. 2024, arXiv:2412.11768).

    ``gain = |g| / (std(g) + eps)`` of a tensor's first gradient stays for good; then, at every step,
    ``m = momentum * m + (1 - momentum) * g`` (``m = g`` at the first), ``p = p * (1 - lr * weight_decay)`` and
    ``p = p - lr * gain * m``. Nothing but the momentum is kept by element.

    A first gradient without spread (one element, all zero, all equal) has the gain ``sqrt(elements)``: what the formula
    gives for gradients of mean zero, where ``eps`` alone would divide otherwise. It is 1 for a single element.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]] | Iterable[Tensor],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"recipe.optimizer.momentum.sgd_sai is at least 0 and below 1, given {momentum}")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make a step from the gradients; ``closure`` makes them anew and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "gain" not in state:
            state["gain"] = gain(gradient, group["eps"])
            if group["momentum"]:
                state["momentum"] = gradient.clone()
        elif group["momentum"]:
            state["momentum"].lerp_(gradient, 1.0 - group["momentum"])
        moved = state["momentum"] if group["momentum"] else gradient
        parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
        parameter.add_(moved, alpha=-group["lr"] * state["gain"])


def gain(gradient: Tensor, eps: float = 1e-8) -> float:
    """Factor of the learning rate of a tensor with this first gradient."""
    size = gradient.numel()
    norm = float(gradient.norm())
    spread = float(gradient.std()) if size > 1 else 0.0
    if spread <= FLAT * norm / math.sqrt(size):
        return math.sqrt(size)
    return norm / (spread + eps)
