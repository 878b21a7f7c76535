"""Optimizers of timm, by name, each with its own learning rate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from timm.optim import create_optimizer_v2

from trainables.plan import Plan, Stage

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
        name: an optimizer name of timm, e.g. ``sgd``, ``rmsprop``, ``adamw``.
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
    optimizer = create_optimizer_v2(
        plan.trained(), opt=name, lr=learning_rate[name], weight_decay=weight_decay, **extra
    )
    plan.rated(optimizer)
    return replace(plan, optimizer=optimizer, states={**plan.states, "optimizer": optimizer})
