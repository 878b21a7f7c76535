"""The first candidates of a search: one from each stratum of the cost, far from one another."""

import numpy as np
from numpy.typing import NDArray

from search.problem.problem import Problem
from search.problem.supply import Supply
from spaces.codes import without
from spaces.encoding import encode
from spaces.space import Codes

Floats = NDArray[np.float64]

DRAWN = 2000
"""Candidates from which a start is chosen."""

DRAWN_FOR_BUDGET = 250
"""Further candidates within each budget."""


def stratified(supply: Supply, n: int, rng: np.random.Generator, avoid_ND: Codes | None = None) -> Codes:
    """Up to ``n`` distinct candidates: costs are cut into ``n`` quantiles, each gives the one farthest from the others.

    The strata are visited in random order, so that the first few are spread as well. Fewer come back where fewer exist.
    """
    drawn_ND = supply.draw(DRAWN, rng)
    if avoid_ND is not None:
        drawn_ND = without(drawn_ND, avoid_ND)
    x_NF = encode(supply.space, drawn_ND)
    order_N = np.argsort(_cost(supply.problem, drawn_ND), kind="stable")
    gap_N = np.full(len(drawn_ND), np.inf)
    if avoid_ND is not None and len(avoid_ND):
        for x_F in encode(supply.space, avoid_ND[-200:]):
            gap_N = _narrowed(gap_N, x_NF, x_F)
    chosen: list[int] = []
    strata = [rows for rows in np.array_split(order_N, n) if len(rows)]
    for stratum in rng.permutation(len(strata)):
        rows = strata[stratum]
        pick = int(rows[np.argmax(gap_N[rows])]) if np.isfinite(gap_N[rows]).any() else int(rng.choice(rows))
        chosen.append(pick)
        gap_N = _narrowed(gap_N, x_NF, x_NF[pick])
    return drawn_ND[chosen]


def opening(supply: Supply, n: int, rng: np.random.Generator) -> Codes:
    """Up to ``n`` distinct candidates to begin with: half of them for the budgets, half for the space as a whole.

    The budgets' half takes from every budget's band (what fits it, but not the next tighter one) in turn the candidate
    farthest from the others, so that no budget begins without one; where there are more budgets than places, from
    evenly spaced ones. With a single budget all are for the space.
    """
    budgets = len(supply.problem.budgets)
    whole = n if budgets == 1 else n - n // 2
    chosen_ND = stratified(supply, whole, rng)
    if whole == n:
        return chosen_ND
    drawn_ND = without(supply.draw_within_budgets(DRAWN_FOR_BUDGET, rng), chosen_ND)
    band_N, x_NF = supply.problem.bands(drawn_ND), encode(supply.space, drawn_ND)
    gap_N = np.full(len(drawn_ND), np.inf)
    for x_F in encode(supply.space, chosen_ND):
        gap_N = _narrowed(gap_N, x_NF, x_F)
    places = n - len(chosen_ND)
    turns = np.linspace(0, budgets - 1, places).round().astype(int) if places < budgets else np.arange(places) % budgets
    picks: list[int] = []
    for band in turns:
        rows = np.setdiff1d(np.flatnonzero(band_N == band), picks)
        if len(rows):
            pick = int(rows[np.argmax(gap_N[rows])])
            picks.append(pick)
            gap_N = _narrowed(gap_N, x_NF, x_NF[pick])
    both_ND = np.empty((len(chosen_ND) + len(picks), chosen_ND.shape[1]), dtype=chosen_ND.dtype)
    both_ND[rng.permutation(len(both_ND))] = np.concatenate([chosen_ND, drawn_ND[picks]])
    return both_ND


def _narrowed(gap_N: Floats, x_NF: NDArray[np.float32], x_F: NDArray[np.float32]) -> Floats:
    """Distance of each candidate to the nearest chosen one, once one more is chosen."""
    narrowed_N: Floats = np.minimum(gap_N, np.abs(x_NF - x_F).sum(axis=1))
    return narrowed_N


def _cost(problem: Problem, codes_ND: Codes) -> Floats:
    """The cost that strata are cut along: the first one that a budget bounds, else the first one known, else none."""
    if not len(codes_ND):
        return np.zeros(0)
    costs = problem.costs(codes_ND)
    bounded = [name for budget in problem.budgets for name in budget.bounds()]
    names = [*bounded, *costs]
    return np.asarray(costs[names[0]], dtype=np.float64) if names else np.zeros(len(codes_ND))
