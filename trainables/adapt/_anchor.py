"""Weight decay towards the pretrained point instead of zero: L2-SP (Li et al. 2018), decoupled as in AdamW."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

PAPER = "https://arxiv.org/abs/1802.01483"


class Anchor:
    """``w -= rate * decay * (w - w0)`` before every step, for the parameters that are anchored.

    The paper adds ``decay / 2 * |w - w0|^2`` to the loss, which for SGD is the same. Adam would divide its gradient by
    that of the labels, hence the decoupled form for all optimizers.

    Args:
        parameters: by name; where they are now is where they are drawn to.
        decay: as a weight decay, which the optimizer multiplies with the learning rate.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self._start = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        self._start_of = {parameter: self._start[name] for name, parameter in parameters.items()}
        self._decay = decay

    @torch.no_grad()
    def pull(self, optimizer: torch.optim.Optimizer) -> None:
        """Move the parameters that have a gradient towards where they began, at the optimizer's rates."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                start = self._start_of.get(parameter)
                if start is not None and parameter.grad is not None:
                    parameter.lerp_(start, group["lr"] * self._decay)

    def state_dict(self) -> dict[str, Any]:
        """Where they began, which a checkpoint keeps: it may be what an earlier phase has trained."""
        return dict(self._start)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over ``state_dict``."""
        for name, value in self._start.items():
            value.copy_(state[name])
