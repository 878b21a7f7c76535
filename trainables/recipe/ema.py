"""Exponential moving average of the weights (Polyak averaging), evaluated and exported in place of the trained ones."""

from dataclasses import replace
from typing import Any

from timm.utils import ModelEmaV3
from torch import nn

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

    def update(self) -> None:
        self._step += 1
        self._average.update(self._source, step=self._step)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self._step, "network": self.network.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._step = state["step"]
        self.network.load_state_dict(state["network"])
