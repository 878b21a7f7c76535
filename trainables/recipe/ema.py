"""Exponential moving average of the weights (Polyak averaging), evaluated and exported in place of the trained ones."""

from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from trainables.plan import Plan, Stage

PAPER = "https://doi.org/10.1137/0330046"
STAGE = Stage.SCHEDULE
OFF = {"decay": 0.0}
TRIED = ({"decay": 0.97},)
PER_WORKER = None


def apply(plan: Plan, *, decay: float) -> Plan:
    """Average with ``decay`` a step; zero is off.

    The decay grows to its value as 1 - step^(-2/3), so that the initialisation is forgotten at the first step.
    """
    if decay == 0.0:
        return plan
    average = _Average(plan.built(), decay)
    return replace(
        plan,
        after_step=(*plan.after_step, average.update),
        evaluated=average.network,
        states={**plan.states, "ema": average},
    )


class _Average:
    """The average and the number of steps that it has seen, which the growing decay depends on."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._source = network
        self._average = ModelEmaV3(network, decay=decay, use_warmup=True)
        self._step = 0

    @property
    def network(self) -> nn.Module:
        module: nn.Module = self._average.module
        return module

    @cached_property
    def _tensors(self) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]]:
        """Averaged tensors, their sources, and (copy, source) of the integers; the tensors stay where they are.

        Listed once: a state dict of a small network takes as long as one of its layers.
        """
        pairs = list(zip(self.network.state_dict().values(), self._source.state_dict().values(), strict=True))
        real = [pair for pair in pairs if pair[0].is_floating_point()]
        return (
            [pair[0] for pair in real],
            [pair[1] for pair in real],
            [p for p in pairs if not p[0].is_floating_point()],
        )

    @torch.no_grad()
    def update(self) -> None:
        self._step += 1
        average, source, integers = self._tensors
        torch._foreach_lerp_(average, source, weight=1.0 - self._average.get_decay(self._step))
        for copy, integer in integers:
            copy.copy_(integer)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step, "network": self.network.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._step = state["step"]
        self.network.load_state_dict(state["network"])
