"""Optimizers of timm, by name, and SGD-SaI (Xu et al. 2024), each with its own learning rate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from timm.optim import create_optimizer_v2, param_groups_weight_decay
from torch import nn

from trainables.plan import Plan, Stage
from trainables.recipe._sgd_sai import SGDSaI

STAGE = Stage.OPTIMIZER


def apply(
    plan: Plan,
    *,
    name: str,
    learning_rate: Mapping[str, float],
    momentum: Mapping[str, float] | None = None,
    weight_decay: float = 0.0,
) -> Plan:
    """Set the optimizer.

    Args:
        plan: with a network.
        name: ``sgd_sai``, or an optimizer name of timm, e.g. ``sgd``, ``rmsprop``, ``adamw``.
        learning_rate: peak rate a step, by optimizer name.
        momentum: by optimizer name, for those that have one.
        weight_decay: not applied to biases and normalisation layers.

    Raises:
        ValueError: there is no learning rate for ``name``, or timm does not know it.
    """
    if name not in learning_rate:
        given = ", ".join(sorted(learning_rate)) or "none"
        raise ValueError(f"recipe.optimizer.learning_rate.{name} is missing; learning rates are given for: {given}")
    extra: dict[str, Any] = {"momentum": momentum[name]} if momentum and name in momentum else {}
    if name == "sgd" and extra.get("momentum") == 0.0:
        extra["nesterov"] = False  # timm's sgd is Nesterov's, which needs a momentum
    optimizer = _made(name, plan.trained(), learning_rate[name], weight_decay, extra)
    plan.rated(optimizer)
    return replace(plan, optimizer=optimizer, states={**plan.states, "optimizer": optimizer})


def _made(name: str, network: nn.Module, rate: float, decay: float, extra: dict[str, Any]) -> torch.optim.Optimizer:
    if name == "sgd_sai":
        return SGDSaI(param_groups_weight_decay(network, decay), lr=rate, weight_decay=decay, **extra)
    optimizer: torch.optim.Optimizer = create_optimizer_v2(network, opt=name, lr=rate, weight_decay=decay, **extra)
    return optimizer
