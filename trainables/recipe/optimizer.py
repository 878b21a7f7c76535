"""Optimizers of timm, by name, SGD-SaI (Xu et al. 2024) and 8-bit ones (Dettmers et al. 2022), each with its own rate.

The 8-bit ones are bitsandbytes', which run on a CPU, too. SGD-SaI is that of the package sgd-sai 1.0.3, the released
one; the head of its repository divides all gains by the largest, which is another scale of the rate.
"""

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from timm.optim import create_optimizer_v2, param_groups_weight_decay

from trainables.plan import Plan, Stage
from trainables.recipe._sgd_sai import SGDSaI

PAPER = "https://arxiv.org/abs/2412.11768, https://arxiv.org/abs/2110.02861"
STAGE = Stage.OPTIMIZER
OFF = None
TRIED = (
    {"name": "adamw", "learning_rate.adamw": 1e-2},
    {"name": "sgd", "learning_rate.sgd": 0.3, "momentum.sgd": 0.9},
    {"name": "rmsprop", "learning_rate.rmsprop": 3e-3, "momentum.rmsprop": 0.9},
    {"name": "sgd_sai", "learning_rate.sgd_sai": 3e-2},
    {"name": "adamw8bit", "learning_rate.adamw8bit": 1e-2},
    {"name": "sgd8bit", "learning_rate.sgd8bit": 0.3},
)
PER_WORKER = None

FUSED = ("sgd", "momentum", "adam", "adamw")
FOREACH = ("rmsprop",)
"""What timm takes from torch, which can step all parameters together."""
EIGHT_BIT = {"adamw8bit": "AdamW8bit", "sgd8bit": "SGD8bit"}
"""Classes of bitsandbytes, by name here: timm refuses them without CUDA."""


def apply(
    plan: Plan,
    *,
    name: str,
    learning_rate: Mapping[str, float],
    momentum: Mapping[str, float] | None = None,
    weight_decay: float = 0.0,
    decay_all: bool = False,
    min_8bit_size: int = 4096,
) -> Plan:
    """Set the optimizer.

    Args:
        plan: with a network.
        name: ``sgd_sai``, ``adamw8bit``, ``sgd8bit``, or a name of timm, e.g. ``sgd``, ``rmsprop``, ``adamw``.
        learning_rate: peak rate a step, by optimizer name.
        momentum: by optimizer name, for those that have one.
        weight_decay: of weights; not of biases and normalisation layers unless ``decay_all``.
        decay_all: whether all parameters decay.
        min_8bit_size: elements of a tensor from which on an 8-bit optimizer keeps its state in 8 bits; others do not
            read it. Small networks have few tensors of the usual size.

    Raises:
        ValueError: there is no learning rate for ``name``, or timm does not know it; an 8-bit optimizer lacks its
            package, a device that it supports, or a momentum that it can use.
    """
    if name not in learning_rate:
        present = ", ".join(sorted(learning_rate)) or "none"
        raise ValueError(f"recipe.optimizer.learning_rate.{name} is missing; learning rates are given for: {present}")
    extra: dict[str, Any] = {"momentum": momentum[name]} if momentum and name in momentum else {}
    if name == "sgd" and extra.get("momentum") == 0.0:
        extra["nesterov"] = False  # timm's sgd is Nesterov's, which needs a momentum
    if name == "sgd8bit" and not extra.setdefault("momentum", 0.9):
        raise ValueError(
            "recipe.optimizer.momentum.sgd8bit is above 0, given 0: sgd keeps no state that 8 bits would save"
        )
    network = plan.trained()
    groups: list[dict[str, Any]] = param_groups_weight_decay(network, weight_decay)
    if decay_all:
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        groups = [{"params": trained, "weight_decay": weight_decay}]
    if name in EIGHT_BIT:
        extra["min_8bit_size"] = min_8bit_size
    optimizer = _made(name, groups, learning_rate[name], weight_decay, extra)
    plan.rated(optimizer)
    return replace(plan, optimizer=optimizer, states={**plan.states, "optimizer": optimizer})


def _made(
    name: str, groups: list[dict[str, Any]], rate: float, decay: float, extra: dict[str, Any]
) -> torch.optim.Optimizer:
    if name == "sgd_sai":
        return SGDSaI(groups, lr=rate, weight_decay=decay, **extra)
    if name in EIGHT_BIT:
        return _eight_bit(name, groups, rate, extra)
    # One kernel for all parameters, or one a kind of operation, in place of one a parameter: a small network has many.
    fast = {"fused": True} if name in FUSED else {"foreach": True} if name in FOREACH else {}
    optimizer: torch.optim.Optimizer = create_optimizer_v2(
        groups, opt=name, lr=rate, weight_decay=decay, **fast, **extra
    )
    return optimizer


def _eight_bit(name: str, groups: list[dict[str, Any]], rate: float, extra: dict[str, Any]) -> torch.optim.Optimizer:
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    if unsupported := sorted(devices - {"cpu", "cuda"}):
        raise ValueError(
            f"recipe.optimizer.name '{name}' runs on cpu and cuda, not on {unsupported[0]}; use another one"
        )
    try:
        package = importlib.import_module("bitsandbytes")
    except ImportError as error:
        raise ValueError(
            f"recipe.optimizer.name '{name}' needs bitsandbytes: pip install bitsandbytes, or use another one"
        ) from error
    optimizer: torch.optim.Optimizer = getattr(package.optim, EIGHT_BIT[name])(groups, lr=rate, **extra)
    return optimizer
