"""The part of a predictor that neighbouring genes explain, solved exactly for every budget at once.

For tables over single genes and pairs of neighbouring genes, score and cost of a candidate are sums along a chain, so a
dynamic program over (gene, choice, cost cell) finds the best chain score within every budget (Bellman, 1957, knapsack).
It starts the evolution, and it bounds what the evolution may have missed: where f = chain + remainder,

    max f  <=  max chain over a set that contains all feasible candidates  +  max remainder.

The set contains them because every step's cost is rounded down to a cell and the budget is widened to the largest
chain cost of a feasible candidate. Both maxima are taken over scored rows, so the bound is an estimate unless these are
all members of the space.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search.evolution.student import Tables, fit_tables
from search.problem.limits import Costs, Limits
from spaces.space import Codes, Space

Values = NDArray[np.float64]
CONTEXTS = 64
"""At most so many assignments of the genes that switch others on are enumerated; what is left is relaxed."""


def solve(
    space: Space, score: Tables, cost: Tables | None, bounds_K: Values, cells: int = 1024
) -> tuple[Codes, Values]:
    """Maximise chain score subject to chain cost <= bound, for K bounds at once.

    Costs are rounded down to ``cells`` steps, so a value is an upper bound of the true chain maximum, and exact where
    all step costs are multiples of a cell. Genes that switch others on are enumerated up to ``CONTEXTS`` assignments;
    beyond that a conditional gene may also be inactive, which widens the set and keeps the bound valid.

    Args:
        space: the genes, in chain order.
        score: tables of single genes and neighbouring pairs.
        cost: the same for the cost; ``None`` is no cost at all.
        bounds_K: budgets in the unit of ``cost``; shape (K,).
        cells: resolution of the cost.

    Returns:
        (codes_KD, value_K): a member of the space per budget and the maximum; ``-inf`` where no chain fits.
    """
    steps_score = _steps(score)
    steps_cost = _steps(cost) if cost is not None else [np.zeros_like(step) for step in steps_score]
    constant = cost.constant if cost is not None else 0.0
    value_K = np.full(len(bounds_K), -np.inf)
    codes_KD: Codes = np.zeros((len(bounds_K), len(space.dimensions)), dtype=np.int16)
    for places in _contexts(space):
        scores = _allowed(steps_score, places)
        shifted, spare_K = _shift(_allowed(steps_cost, places), bounds_K - constant)
        place_KD, best_K = _program(scores, shifted, spare_K, cells)
        for k in np.flatnonzero(best_K > value_K):
            value_K[k] = best_K[k]
            codes_KD[k] = [places[g][place] - 1 for g, place in enumerate(place_KD[k])]
    return space.complete(codes_KD, np.zeros_like(codes_KD)), value_K + score.constant


def _steps(tables: Tables) -> list[Values]:
    """What choosing place c of gene g after place b of gene g - 1 adds, shape (B, C); B is 1 for the first gene."""
    steps = [tables.unary[0][None, :]]
    for g in range(1, len(tables.unary)):
        steps.append(tables.pairs[g - 1, g] + tables.unary[g][None, :])
    return steps


def _contexts(space: Space) -> Iterator[list[NDArray[np.int64]]]:
    """Allowed places of every gene (0 is inactive), for each assignment of the genes that switch others on."""
    parents: list[int] = []
    for parent in sorted({space.index[condition.parent] for condition in space.conditions.values()}):
        if np.prod(space.sizes_D[[*parents, parent]]) <= CONTEXTS:
            parents.append(parent)
    for codes in itertools.product(*(range(space.sizes_D[parent]) for parent in parents)):
        fixed = dict(zip(parents, codes, strict=True))
        places: list[NDArray[np.int64]] = []
        for g, address in enumerate(space.addresses):
            values = np.array([fixed[g]]) if g in fixed else np.arange(space.sizes_D[g])
            active = _activity(space, address, fixed, places)
            options = [values + 1] if active else [np.array([0])] if active is False else [np.array([0]), values + 1]
            places.append(np.concatenate(options))
        yield places


def _activity(space: Space, address: str, fixed: Mapping[int, int], places: Sequence[NDArray[np.int64]]) -> bool | None:
    """Whether a gene is active; None where this context leaves it open."""
    condition = space.conditions.get(address)
    if condition is None:
        return True
    parent = space.index[condition.parent]
    if parent not in fixed:
        return None
    if 0 in places[parent]:
        return False if len(places[parent]) == 1 else None
    return space.dimensions[parent].values[fixed[parent]] in condition.values


def _allowed(steps: Sequence[Values], places: Sequence[NDArray[np.int64]]) -> list[Values]:
    before = [np.array([0]), *places[:-1]]
    return [step[np.ix_(b, c)] for step, b, c in zip(steps, before, places, strict=True)]


def _shift(steps: Sequence[Values], bounds_K: Values) -> tuple[list[Values], Values]:
    """Steps of at least zero, and what each bound leaves above the sum of the smallest steps."""
    smallest = [float(step.min()) for step in steps]
    return [step - low for step, low in zip(steps, smallest, strict=True)], bounds_K - sum(smallest)


def _program(
    scores: Sequence[Values], costs: Sequence[Values], spare_K: Values, cells: int
) -> tuple[NDArray[np.int64], Values]:
    """The dynamic program; best_CL[c, l] is the best score that ends in choice c and has used l cells."""
    most = sum(float(step.max()) for step in costs)
    reach = min(max(float(spare_K.max()), 0.0), most)
    width = reach / cells if reach > 0 else 1.0
    # A step may be rounded up by 1e-9 of a cell, the limit by more than all steps together: the set stays a superset.
    limit_K = np.floor(np.minimum(spare_K, most) / width + 1e-6).astype(np.int64)
    best_CL = np.full((1, cells + 1), -np.inf)
    best_CL[0, 0] = 0.0
    history = []
    for score, cost in zip(scores, costs, strict=True):
        used = np.floor(cost / width + 1e-9).astype(np.int64)
        next_CL = np.full((score.shape[1], cells + 1), -np.inf)
        before = np.zeros((score.shape[1], cells + 1), dtype=np.int16)
        for b, c in np.argwhere(used <= cells):
            move = used[b, c]
            offer_L = best_CL[b, : cells + 1 - move] + score[b, c]
            better_L = offer_L > next_CL[c, move:]
            next_CL[c, move:][better_L] = offer_L[better_L]
            before[c, move:][better_L] = b
        history.append((before, used))
        best_CL = next_CL
    return _read_back(best_CL, history, limit_K, cells)


def _read_back(
    best_CL: Values,
    history: Sequence[tuple[NDArray[np.int16], NDArray[np.int64]]],
    limit_K: NDArray[np.int64],
    cells: int,
) -> tuple[NDArray[np.int64], Values]:
    places_KD = np.zeros((len(limit_K), len(history)), dtype=np.int64)
    value_K = np.full(len(limit_K), -np.inf)
    for k, limit in enumerate(np.minimum(limit_K, cells)):
        if limit < 0:
            continue
        choice, cell = np.unravel_index(int(np.argmax(best_CL[:, : limit + 1])), (len(best_CL), limit + 1))
        value_K[k] = best_CL[choice, cell]
        if not np.isfinite(value_K[k]):
            continue
        for g in range(len(history) - 1, -1, -1):
            before, used = history[g]
            places_KD[k, g] = choice
            previous = before[choice, cell]
            cell -= used[previous, choice]
            choice = previous
    return places_KD, value_K


class Chain:
    """Chain tables of an objective and of the logarithm of each bounded cost, fitted to scored candidates."""

    def __init__(self, space: Space, budgets: Sequence[Limits], codes_ND: Codes, value_N: Values, costs: Costs) -> None:
        self.space, self.budgets = space, tuple(budgets)
        self.names = tuple(dict.fromkeys(name for budget in budgets for name in budget.bounds()))
        columns = [value_N, *(_log(costs[name]) for name in self.names)]
        fits = fit_tables(space, codes_ND, np.stack(columns, axis=1), "neighbours")
        self.score = fits[0].tables
        self.cost = {name: fit.tables for name, fit in zip(self.names, fits[1:], strict=True)}

    def starts(self) -> Codes:
        """The chain's optimum for each bound of each budget; not necessarily within it, so count before use."""
        optima = [np.empty((0, len(self.space.dimensions)), dtype=np.int16)]
        for name in self.names:
            bounds = np.array([budget.bounds()[name] for budget in self.budgets if name in budget.bounds()])
            # The chain's cost is off by some per cent, so a little less than the budget is solved for as well.
            length_K = np.concatenate([_log(bounds), _log(bounds) - 0.03])
            codes_KD, value_K = solve(self.space, self.score, self.cost[name], length_K)
            optima.append(codes_KD[np.isfinite(value_K)])
        if not all(budget.bounds() for budget in self.budgets):
            optima.append(solve(self.space, self.score, None, np.zeros(1))[0])
        return np.concatenate(optima)

    def bounds(self, codes_ND: Codes, value_N: Values, costs: Costs) -> Values:
        """An upper bound of the objective within each budget, shape (K,).

        It holds if the rows are all members of the space (or of the pool that may be chosen from); of a sample of them
        it is an estimate.

        Args:
            codes_ND: scored rows, at least one candidate within every budget.
            value_N: their objective.
            costs: their exact costs.
        """
        remainder_N = value_N - self.score(codes_ND)
        inside_KN = np.stack([budget.allow(costs) for budget in self.budgets])
        chain_K = np.full(len(self.budgets), np.inf)
        for name in self.names:
            length_N = self.cost[name](codes_ND)
            bounded = [k for k, budget in enumerate(self.budgets) if name in budget.bounds()]
            longest_K = np.array([length_N[inside_KN[k]].max() for k in bounded])
            chain_K[bounded] = np.minimum(
                chain_K[bounded], solve(self.space, self.score, self.cost[name], longest_K + 1e-9)[1]
            )
        free = [k for k, budget in enumerate(self.budgets) if not budget.bounds()]
        chain_K[free] = solve(self.space, self.score, None, np.zeros(1))[1]
        remainder_K = np.array([remainder_N[inside_N].max() for inside_N in inside_KN])
        bound_K: Values = chain_K + remainder_K
        return bound_K


def _log(cost_N: NDArray[np.float64]) -> Values:
    return np.log(np.maximum(np.asarray(cost_N, dtype=np.float64), 1e-12))
