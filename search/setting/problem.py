"""From a configuration to the problem that is searched: exact costs, limits that can be met, and budgets."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search.problem.feasible import smallest
from search.problem.limits import Costs, Limits
from search.problem.problem import Problem
from search.setting.config import Config, ConfigError
from spaces.sampling import sobol
from spaces.space import Codes, Space
from trainables.counting.statistics import count, free_statistics
from trainables.splits import Splits

if TYPE_CHECKING:
    from search.setting.device import Device

CostFunction = Callable[[Codes], Costs]

TIGHTEST, LOOSEST = 2.0, 0.9
"""Budgets that are given as a number reach from twice the smallest macs to this quantile of the space's."""


def problem_of(config: Config, space: Space, splits: Splits, device: "Device | None") -> Problem:
    """The problem.

    Raises:
        ConfigError: a limit or a budget that no candidate meets, a budget twice or above the limit.
    """
    shape = {"classes": len(splits.classes), "channels": splits.channels}

    def statistics(codes_ND: Codes) -> NDArray[np.float64]:
        return free_statistics(space, codes_ND, count(space, codes_ND, **shape))[0]

    costs = costs_of(space, splits, device)
    limits = Limits(**config.limits.model_dump(exclude={"latency_file"}))
    least_macs = smallest(space, costs, "macs")
    _check_limits(space, costs, limits, least_macs)
    some_ND = sobol(space, 1, 0)
    names = free_statistics(space, some_ND, count(space, some_ND, **shape))[1]
    return Problem(
        space=space,
        costs=costs,
        statistics=statistics,
        limits=limits,
        budgets=_budgets(config, space, costs, limits, least_macs),
        logarithms={name: names.index(f"log_{name}") for name in ("macs", "params", "activations")},
    )


def costs_of(space: Space, splits: Splits, device: "Device | None") -> CostFunction:
    """Exact counts and, where there is a device, its predicted latency."""

    def costs(codes_ND: Codes) -> Costs:
        counts = count(space, codes_ND, classes=len(splits.classes), channels=splits.channels)
        latency = {} if device is None else {"latency_ms": device.model.predict(codes_ND, counts)}
        return {**counts.costs(), **latency}

    return costs


def _check_limits(space: Space, costs: CostFunction, limits: Limits, least_macs: float) -> None:
    for name, bound in limits.bounds().items():
        least = least_macs if name == "macs" else smallest(space, costs, name)
        if bound < least:
            raise ConfigError(
                f"limits.max_{name} is {bound:,.12g}, but the smallest {name} found in space '{space.name}' "
                f"with this data is {least:,.12g} (by descents, not proven); raise the limit or restrict the space "
                "differently"
            )


def _budgets(config: Config, space: Space, costs: CostFunction, limits: Limits, least: float) -> tuple[Limits, ...]:
    """The limits of each member, tightest first; ``least`` are the smallest macs."""
    if isinstance(config.family.max_macs, int):
        bounds = _spread(config.family.max_macs, least, space, costs, limits)
    else:
        bounds = sorted(config.family.max_macs)
    if len(set(bounds)) < len(bounds):
        raise ConfigError(f"family.max_macs has a budget twice: {', '.join(f'{bound:,.0f}' for bound in bounds)}")
    if bounds[0] < least:
        raise ConfigError(
            f"family.max_macs has {bounds[0]:,.0f}, but the smallest macs found in space '{space.name}' "
            f"with this data is {least:,.0f} (by descents, not proven)"
        )
    if limits.max_macs is not None and bounds[-1] > limits.max_macs:
        raise ConfigError(f"family.max_macs has {bounds[-1]:,.0f}, above limits.max_macs ({limits.max_macs:,.0f})")
    return tuple(replace(limits, max_macs=float(bound)) for bound in bounds)


def _spread(n: int, least: float, space: Space, costs: CostFunction, limits: Limits) -> list[float]:
    """So many budgets, evenly spaced in the logarithm."""
    usual = float(np.quantile(costs(sobol(space, 1024, 0))["macs"], LOOSEST))
    most = usual if limits.max_macs is None else min(limits.max_macs, usual)
    bounds: list[float] = np.geomspace(min(TIGHTEST * least, most), most, n).round().tolist()
    return bounds
