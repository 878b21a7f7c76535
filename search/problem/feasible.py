"""Candidates within limits: the smallest reachable costs, and sampling however rare the feasible ones are."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from search.problem.limits import Costs, Limits, UnreachableLimit, unreachable
from search.problem.problem import Problem
from spaces.joined import FAMILY
from spaces.sampling import uniform
from spaces.space import Codes, Space
from spaces.variation import mutate

CostFunction: TypeAlias = Callable[[Codes], Costs]
Allowed: TypeAlias = Callable[[Codes], NDArray[np.bool_]]


def smallest(space: Space, costs: CostFunction, name: str) -> float:
    """The smallest value of a cost that the space reaches, by coordinate descent from several starts.

    Exact where the cost does not fall in any dimension once it is at its best for some setting of the others, which
    holds for counts of networks: each choice's best value may depend on the family, and every family gets a start.
    """
    return float(costs(_smallest_rows(space, costs, name))[name].min())


def largest(problem: Problem, size: Callable[[Codes], NDArray[np.float64]], n: int) -> Codes:
    """Up to ``n`` different candidates within the limits whose ``size`` is largest, shape (at most n, D).

    Found from many draws and changes of the largest of them, so there may be a larger one that was not met.
    """
    rng = np.random.default_rng(0)
    codes_SD = sample_within(problem, 1024, rng)
    changeable = problem.pool is None and len(_top(codes_SD, size, 2)) > 1
    for change in range(40 if changeable else 0):
        parents_SD = _top(codes_SD, size, 64)
        changed_SD = mutate(problem.space, np.repeat(parents_SD, 8, axis=0), rng, 0.1 * (change % 2))
        codes_SD = np.concatenate([parents_SD, changed_SD[problem.feasible(changed_SD)]])
    return _top(codes_SD, size, n)


def _top(codes_ND: Codes, size: Callable[[Codes], NDArray[np.float64]], n: int) -> Codes:
    different_ND = np.unique(codes_ND, axis=0)
    return different_ND[np.argsort(-size(different_ND), kind="stable")[:n]]


def _smallest_rows(space: Space, costs: CostFunction, name: str) -> Codes:
    """The cheapest candidate found from each start, shape (starts, D)."""
    rng = np.random.default_rng(0)
    starts_SD = uniform(space, 2, rng)
    starts_SD[0] = 0
    if space.joins_families:
        families = len(space.dimension(FAMILY).values)
        starts_SD = np.repeat(starts_SD, families, axis=0)
        starts_SD[:, space.index[FAMILY]] = np.tile(np.arange(families), 2)
    starts_SD = space.complete(starts_SD, np.zeros_like(starts_SD))
    return _descend(space, costs, name, starts_SD)


def _descend(space: Space, costs: CostFunction, name: str, starts_SD: Codes) -> Codes:
    """Where coordinate descents from the starts end, shape (S, D): side by side, since a count of few rows is dear."""
    best_SD, best_S = starts_SD.copy(), np.asarray(costs(starts_SD)[name], dtype=float)
    for _ in range(8):
        before_S = best_S.copy()
        for column, size in enumerate(space.sizes_D.tolist()):
            active = np.flatnonzero(best_SD[:, column] >= 0)
            if size == 1 or not active.size:
                continue
            options_VD = np.repeat(best_SD[active], size, axis=0)
            options_VD[:, column] = np.tile(np.arange(size), active.size)
            options_VD = space.complete(options_VD, np.zeros_like(options_VD))
            value_AV = np.asarray(costs(options_VD)[name], dtype=float).reshape(active.size, size)
            better = np.flatnonzero(value_AV.min(axis=1) < best_S[active])
            best_SD[active[better]] = options_VD[better * size + value_AV[better].argmin(axis=1)]
            best_S[active[better]] = value_AV[better].min(axis=1)
        if (best_S == before_S).all():
            break
    return best_SD


def sample_within(problem: Problem, n: int, rng: np.random.Generator, *, limits: Limits | None = None) -> Codes:
    """Draw ``n`` candidates within the limits, spread over the feasible part of the space.

    Uniform draws that are feasible are taken as they are. The others are pulled towards the cheapest candidate: their
    genes are replaced by its genes one at a time, in an order drawn for each row, until the row is within the limits;
    then a short walk of single changes that stay inside takes the row away from where the pull ended. So the cost of
    drawing does not grow as the feasible part shrinks.

    Args:
        problem: gives the space, the costs, and the recorded pool where only some candidates exist.
        n: number of rows; rows may repeat where the feasible part is small.
        rng: source of randomness.
        limits: other limits than the problem's own.

    Raises:
        UnreachableLimit: nothing lies within the limits; names the smallest value found of the binding limit.
    """
    (codes_ND,) = sample_within_each(problem, n, rng, [problem.limits if limits is None else limits])
    return codes_ND


def sample_within_each(
    problem: Problem, n: int, rng: np.random.Generator, several: Sequence[Limits], *, skip: bool = False
) -> list[Codes]:
    """``sample_within`` for several limits, which takes hardly longer than for one: a count of few rows is dear.

    Raises:
        UnreachableLimit: as ``sample_within``, for the first limits that nothing lies within; with ``skip`` such limits
            have no rows.
    """
    if problem.pool is not None:
        return [_from_pool(problem, problem.pool, n, rng, limits) for limits in several]
    space = problem.space
    drawn = [uniform(space, 4 * n, rng) for _ in several]
    inside = np.split(_allowed(problem, several, np.concatenate(drawn)), len(drawn)) if several else []
    found = [codes_MD[allowed_M][:n] for codes_MD, allowed_M in zip(drawn, inside, strict=True)]
    anchors: dict[int, Codes] = {}
    for row, codes_MD in enumerate(found):
        if len(codes_MD) < n:
            try:
                anchors[row] = _anchored(problem, several[row])
            except UnreachableLimit:
                if not skip:
                    raise
    if anchors:
        start_ND = np.concatenate([drawn[row][:n] for row in anchors])
        anchor_ND = np.repeat(np.concatenate(list(anchors.values())), n, axis=0)
        allowed = partial(_allowed, problem, [several[row] for row in anchors])
        walked_ND = _walk(space, _pull(space, start_ND, anchor_ND, allowed, rng), allowed, rng)
        for row, codes_ND in zip(anchors, np.split(walked_ND, len(anchors)), strict=True):
            found[row] = codes_ND
    return found


def _allowed(problem: Problem, several: Sequence[Limits], codes_ND: Codes) -> NDArray[np.bool_]:
    """Whether each row is within its limits, the first rows within the first, as many for each."""
    if not any(limits.bounds() for limits in several):
        return np.ones(len(codes_ND), dtype=bool)
    costs, rows = problem.costs(codes_ND), len(codes_ND) // len(several)
    slices = [slice(rows * row, rows * (row + 1)) for row in range(len(several))]
    parts = [
        limits.allow({name: cost_N[part] for name, cost_N in costs.items()})
        for limits, part in zip(several, slices, strict=True)
    ]
    return np.concatenate(parts)


def _anchored(problem: Problem, limits: Limits) -> Codes:
    """The anchor of the limits, looked for once."""
    if limits not in problem.anchors:
        problem.anchors[limits] = _anchor(problem, limits)
    return problem.anchors[limits]


def _from_pool(problem: Problem, pool_PD: Codes, n: int, rng: np.random.Generator, limits: Limits) -> Codes:
    costs = problem.costs(pool_PD)
    rows = np.flatnonzero(limits.allow(costs))
    if not rows.size:
        least = {name: float(costs[name].min()) for name in limits.bounds()}
        raise unreachable(problem.space.name, limits, least, "the smallest recorded")
    chosen_ND: Codes = pool_PD[rng.choice(rows, size=n, replace=n > rows.size)]
    return chosen_ND


def _anchor(problem: Problem, limits: Limits) -> Codes:
    """A candidate within the limits, shape (1, D): the cheapest, its worst cost relative to its bound."""
    bounds = limits.bounds()

    def worst(codes_ND: Codes) -> Costs:
        costs = problem.costs(codes_ND)
        return {"worst": np.max([np.asarray(costs[name], float) / bound for name, bound in bounds.items()], axis=0)}

    space, least = problem.space, {}
    # One bound orders candidates as its cost does, whatever the bound is.
    rows = _cheapest(problem, *bounds) if len(bounds) == 1 else _smallest_rows(space, worst, "worst")
    for name in bounds:
        if limits.allow(problem.costs(rows)).any():
            break
        # The worst of several costs has ridges on which the descent can stop; the cheapest by each are other starts.
        cheapest = _cheapest(problem, name)
        least[name] = float(problem.costs(cheapest)[name].min())
        rows = np.concatenate([rows, cheapest, _descend(space, worst, "worst", cheapest)])
    allowed = limits.allow(problem.costs(rows))
    if allowed.any():
        return rows[allowed][:1]
    raise unreachable(space.name, limits, least, "the smallest found (by descents, not proven)")


def _cheapest(problem: Problem, name: str) -> Codes:
    """The candidates of ``_smallest_rows`` by one cost of the problem, which every budget on that cost begins from."""
    if name not in problem.cheapest:
        problem.cheapest[name] = _smallest_rows(problem.space, problem.costs, name)
    return problem.cheapest[name]


def _pull(
    space: Space,
    codes_ND: Codes,
    anchor_ND: Codes,
    allowed: Allowed,
    rng: np.random.Generator,
) -> Codes:
    """Replace genes by those of each row's anchor, in random order, until each row is allowed.

    The number of genes to replace is found by bisection, all rows at once: log2(D) evaluations. Costs need not be
    monotone in it; the result is checked, and the anchor itself is the last resort.
    """
    rank_ND = np.argsort(rng.random(codes_ND.shape), axis=1)
    dimensions = codes_ND.shape[1]

    def replaced(count_N: NDArray[np.int64]) -> Codes:
        mixed_ND = np.where(rank_ND < count_N[:, None], anchor_ND, codes_ND)
        return space.complete(mixed_ND, np.maximum(np.where(anchor_ND >= 0, anchor_ND, codes_ND), 0))

    low_N = np.zeros(len(codes_ND), dtype=np.int64)  # not known to be allowed
    high_N = np.full(len(codes_ND), dimensions)  # allowed: the anchor
    while (high_N - low_N > 1).any():
        middle_N = (low_N + high_N) // 2
        fits_N = allowed(replaced(middle_N))
        high_N = np.where(fits_N, middle_N, high_N)
        low_N = np.where(fits_N, low_N, middle_N)
    return replaced(high_N)


def _walk(
    space: Space,
    codes_ND: Codes,
    allowed: Allowed,
    rng: np.random.Generator,
    steps: int = 24,
) -> Codes:
    """Random single changes, kept where they stay allowed: a Metropolis chain towards uniform codes."""
    current_ND = codes_ND
    for _ in range(steps):
        moved_ND = mutate(space, current_ND, rng, 0.0)
        current_ND = np.where(allowed(moved_ND)[:, None], moved_ND, current_ND)
    return current_ND
