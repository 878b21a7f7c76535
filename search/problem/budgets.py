"""Budgets in a user's words: bounds such as ``20M,40M``, each a budget of its own, or points along a front."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from search.problem.feasible import smallest
from search.problem.limits import Limits
from search.problem.problem import Problem
from search.words import parse_amount
from spaces.mistake import Mistake
from spaces.sampling import uniform

Bounds = Mapping[str, Sequence[float]]
"""Upper bounds by name of the cost: one for every budget, or one that all share."""


def option(cost: str) -> str:
    """The option of the command line that bounds a cost: ``--max-latency-ms``."""
    return f"--max-{cost.replace('_', '-')}"


def parse_bounds(text_by_cost: Mapping[str, str | None], problem: Problem) -> Bounds:
    """The bounds that options of the command line state; costs without a text are left out.

    Raises:
        Mistake: a text that is no list of positive numbers, or a bound above the hard limit of the problem.
    """
    bounds = {cost: _numbers(cost, text) for cost, text in text_by_cost.items() if text is not None}
    for cost, limit in problem.limits.bounds().items():
        largest = max(bounds.get(cost, [0.0]))
        if largest > limit:
            raise Mistake(
                f"{option(cost)} {largest:,.6g} is above the run's own limit of {limit:,.6g}; "
                "no trial went beyond it, so the predictor knows nothing there"
            )
    return bounds


def _numbers(cost: str, text: str) -> list[float]:
    values = [parse_amount(part) for part in text.split(",")]
    if not all(isinstance(value, float) and np.isfinite(value) and value > 0 for value in values):
        raise Mistake(f"{option(cost)} takes positive numbers such as 20M,40M, given '{text}'")
    return values


def budgets_of(bounds: Bounds, problem: Problem) -> tuple[Limits, ...]:
    """A budget for each bound; the problem's own budgets where there are none.

    Raises:
        Mistake: lists of different lengths.
    """
    if not bounds:
        return problem.budgets
    count = max(map(len, bounds.values()))
    for cost, values in bounds.items():
        if len(values) not in (1, count):
            raise Mistake(f"{option(cost)} has {len(values)} values; it needs 1 or {count}")
    return tuple(
        Limits(**{f"max_{cost}": values[k % len(values)] for cost, values in bounds.items()}) for k in range(count)
    )


def budgets_along(bounds: Bounds, points: int, problem: Problem) -> tuple[Limits, ...]:
    """Budgets on the first bounded cost (macs if none is), evenly spaced in the logarithm up to its bound.

    Raises:
        Mistake: fewer than two points, several bounds on one cost, or none where the problem has none either.
    """
    if points < 2:
        raise Mistake(f"--points must be at least 2, given {points}")
    for cost, values in bounds.items():
        if len(values) > 1:
            raise Mistake(f"--objective pareto takes one limit a cost, given {len(values)} on {cost}")
    along = next(iter(bounds), "macs")
    top = bounds[along][0] if along in bounds else _top(along, problem)
    upper = Limits(**{f"max_{cost}": values[0] for cost, values in bounds.items()})
    if along not in problem.costs(uniform(problem.space, 1, np.random.default_rng(0))):
        return (replace(upper, **{f"max_{along}": float(top)}),)  # evolve says which costs are known
    bottom = smallest(problem.space, problem.costs, along)
    levels = np.geomspace(min(bottom, top), top, points)
    levels[0] = bottom  # geomspace rounds, and the smallest candidate must fit
    return tuple(replace(upper, **{f"max_{along}": float(level)}) for level in levels)


def _top(cost: str, problem: Problem) -> float:
    """The loosest bound that the problem itself has on a cost."""
    bounds = [limits.bounds()[cost] for limits in (problem.limits, *problem.budgets) if cost in limits.bounds()]
    if not bounds:
        raise Mistake(f"--objective pareto needs a limit on {cost}, since the run has none")
    return max(bounds)
