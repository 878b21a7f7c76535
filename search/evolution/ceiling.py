"""What nobody can exceed: the predictor's proven ceiling (``predictors.parts.bounds``) over the members of a space."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from predictors.parts.bounds import Bounded
from predictors.protocol import Predictor
from search.problem.limits import Limits
from search.problem.problem import Problem
from search.problem.restriction import Lift
from spaces.encoding import encode, layout
from spaces.space import INACTIVE, Codes, Space

Values = NDArray[np.float64]


def proven(
    problem: Problem, predictor: Predictor, budgets: Sequence[Limits], lift: Lift | None = None
) -> Values | None:
    """For each budget a value that the predicted mean of no candidate within it exceeds; None if nothing is proven.

    Statistics are bounded by the limits where they are logarithms of limited costs, and by the predictor's clipping
    elsewhere; that large genes and tight limits exclude each other is not used, so tight budgets are bounded loosely.

    Args:
        problem: the space; its limits and pool are not looked at.
        predictor: fitted.
        budgets: limits of each pick, those of the problem included.
        lift: to the space that the predictor was fitted in.
    """
    if not isinstance(predictor, Bounded):
        return None
    lift = lift or Lift(narrow=problem.space, wide=problem.space)
    options = _options(lift)
    width = problem.statistics(_members(problem.space)).shape[1]
    high_BK = np.full((len(budgets), width), np.inf)
    for row, budget in enumerate(budgets):
        for name, bound in budget.bounds().items():
            if name in problem.logarithms:
                high_BK[row, problem.logarithms[name]] = np.log(max(bound, 1e-300))
    bounds = []
    for ceiling in predictor.ceilings([columns for _, columns in options], high_BK):
        unary = [np.zeros(1 + len(dimension.values)) for dimension in lift.narrow.dimensions]
        constant_B = ceiling.constant_B.copy()
        for (g, columns), table in zip(options, ceiling.tables, strict=True):
            if g is None:
                constant_B += table[0]
            else:
                unary[g][len(unary[g]) - len(columns) :] += table
        bounds.append(ceiling.scores(constant_B + largest_sum(lift.narrow, unary)))
    smallest_B: Values = np.min(bounds, axis=0)
    return smallest_B


def _members(space: Space) -> Codes:
    first_1D = np.zeros((1, len(space.dimensions)), dtype=np.int16)
    return space.complete(first_1D, first_1D)


def _options(lift: Lift) -> list[tuple[int | None, NDArray[np.float32]]]:
    """For each dimension that the predictor sees: the narrow gene, and its columns where it is inactive (if it may be)
    and with each code.

    A dimension that the narrow space dropped is inactive in all of its members: no gene, one choice.
    """
    options: list[tuple[int | None, NDArray[np.float32]]] = []
    for group in layout(lift.wide).groups:
        g = lift.narrow.index.get(group.address)
        codes = [INACTIVE] if g is None or group.address in lift.narrow.conditions else []
        codes += range(len(lift.narrow.dimensions[g].values)) if g is not None else ()
        narrow_VD = np.full((len(codes), len(lift.narrow.dimensions)), INACTIVE, dtype=np.int16)
        if g is not None:
            narrow_VD[:, g] = codes
        options.append((g, encode(lift.wide, lift(narrow_VD))[:, group.start : group.stop]))
    return options


def largest_sum(space: Space, unary: Sequence[Values]) -> float:
    """The largest sum of table values over the members of a space; row 0 of a table is the inactive code.

    Exact: conditions make trees, and each choice is worth its own value plus the best of what depends on it.
    """
    active = [table[1:].copy() for table in unary]  # of each choice, with what depends on it
    inactive = [float(table[0]) for table in unary]
    total = 0.0
    for g in reversed(range(len(unary))):  # dependants stand after their parents
        condition = space.conditions.get(space.addresses[g])
        if condition is None:
            total += float(active[g].max())
            continue
        parent = space.index[condition.parent]
        opens = np.array([value in condition.values for value in space.dimensions[parent].values])
        active[parent] += np.where(opens, active[g].max(), inactive[g])
        inactive[parent] += inactive[g]
    return total
