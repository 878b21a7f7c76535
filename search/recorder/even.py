"""Candidates even in the logarithm of a cost, for a recorded table."""

import dataclasses

import numpy as np

from search.problem.feasible import sample_within, smallest
from search.problem.problem import Problem
from spaces.codes import first_of_each
from spaces.mistake import Mistake
from spaces.space import Codes

BANDS = 40
"""Most parts of the range of a cost, equal in its logarithm, that hold equally many candidates."""
TRIES = 60
"""Draws for a band before it is taken to have no more candidates."""
FRUITLESS = 6
"""Draws in a row without a new candidate after which it is, too."""
DRAWN = 400


def even_in_log_cost(problem: Problem, n: int, rng: np.random.Generator, cost: str = "macs") -> Codes:
    """Up to ``n`` different candidates, even in the logarithm of a cost from the smallest to the limit, shape (n, D).

    None are drawn where ``n`` is 0, with a limit or without.

    Bands take turns, in an order drawn anew for each turn, so that the first rows of any number are even as well.
    Where bands have too few candidates, or none since costs take few values, the others give more.

    Raises:
        Mistake: the problem has no limit on the cost.
    """
    if not n:
        return np.empty((0, len(problem.space.dimensions)), dtype=np.int16)
    most = problem.limits.bounds().get(cost)
    if most is None:
        raise Mistake(f"a recording is even in {cost} up to a limit: give limits.max_{cost}")
    count = min(BANDS, n)
    edges = np.geomspace(smallest(problem.space, problem.costs, cost), most, count + 1)
    each = -(-n // count)
    ranges = [(edges[k] if k else 0.0, edges[k + 1]) for k in range(count)]
    bands = [_band(problem, cost, low, high, each, rng) for low, high in ranges]
    while (missing := n - sum(map(len, bands))) > 0 and (full := [k for k in range(count) if len(bands[k]) == each]):
        each += -(-missing // len(full))
        for k in full:
            bands[k] = _band(problem, cost, *ranges[k], each, rng)
    turns = [bands[band][turn] for turn in range(each) for band in rng.permutation(count) if turn < len(bands[band])]
    return np.stack(turns)[:n]


def _band(problem: Problem, cost: str, low: float, high: float, n: int, rng: np.random.Generator) -> Codes:
    """Up to ``n`` different candidates that cost more than ``low`` and at most ``high``."""
    limits = dataclasses.replace(problem.limits, **{f"max_{cost}": float(high)})
    rows_ND = np.empty((0, len(problem.space.dimensions)), dtype=np.int16)
    fruitless = 0
    for _ in range(TRIES):
        if len(rows_ND) >= n or fruitless == FRUITLESS:
            break
        before = len(rows_ND)
        drawn_ND = sample_within(problem, DRAWN, rng, limits=limits)
        inside_ND = drawn_ND[np.asarray(problem.costs(drawn_ND)[cost]) > low]
        rows_ND = np.concatenate([rows_ND, inside_ND])
        rows_ND = rows_ND[first_of_each(rows_ND)]
        fruitless = fruitless + 1 if len(rows_ND) == before else 0
    return rows_ND[:n]
