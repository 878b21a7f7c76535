"""How stage 2 makes candidates: steps into tight limits, one-change neighbours, very many children."""

import numpy as np
from numpy.typing import NDArray

from search.archive import first_of_each
from search.limits import Costs, Limits, UnreachableLimit
from search.problem import Problem
from spaces.sampling import uniform
from spaces.space import Codes, Space
from spaces.variation import neighbours


def breed(space: Space, parents_ND: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Children of random parents: half are crossed over uniformly, then one to four genes of each get a new value.

    The same operators as ``spaces.variation``, with random numbers drawn per changed gene instead of per gene, which
    is an order of magnitude faster. A change of an inactive gene has no effect. Every child is a member of the space.
    """
    mutable = np.flatnonzero(space.sizes_D > 1)
    fill_ND = rng.integers(0, space.sizes_D, size=parents_ND.shape).astype(np.int16)
    parents_ND = np.where(parents_ND < 0, fill_ND, parents_ND).astype(np.int16)  # inactive genes are latent meanwhile
    child_ND = parents_ND[rng.integers(len(parents_ND), size=count)]
    half = count // 2
    bits = np.unpackbits(rng.integers(0, 256, size=(half * child_ND.shape[1] + 7) // 8, dtype=np.uint8))
    from_mate = bits[: half * child_ND.shape[1]].reshape(half, -1).view(bool)
    np.copyto(child_ND[:half], parents_ND[rng.integers(len(parents_ND), size=half)], where=from_mate)
    sizes = space.sizes_D.astype(np.int16)
    for changes in range(4 if len(mutable) else 0):
        rows = np.arange(0, count, 2**changes)
        columns = mutable[rng.integers(len(mutable), size=len(rows))]
        size_N = sizes[columns]
        step_N = 1 + (rng.random(len(rows), dtype=np.float32) * (size_N - 1)).astype(np.int16)
        child_ND[rows, columns] = (child_ND[rows, columns] + step_N) % size_N
    return space.mask(child_ND)


def around(space: Space, codes_ND: Codes) -> Codes:
    """All one-change neighbours of each row, without repeats."""
    empty_ND = np.empty((0, len(space.dimensions)), dtype=np.int16)
    rows_ND = np.concatenate([empty_ND, *(neighbours(space, codes_D) for codes_D in codes_ND)])
    return rows_ND[first_of_each(rows_ND)]


def reach(problem: Problem, budget: Limits, count: int, rng: np.random.Generator) -> Codes:
    """Candidates within a budget, however tight: random samples, then steps that lower the largest excess.

    Returns:
        Between 1 and ``count`` candidates, shape (N, D).

    Raises:
        UnreachableLimit: no step lowers the excess any further; names the smallest value found.
    """
    rows_ND = uniform(problem.space, max(512, 8 * count), rng)
    for _ in range(64 * len(problem.space.dimensions)):
        excess_N = _excess(budget, problem.costs(rows_ND))
        order = np.argsort(excess_N, kind="stable")[:count]
        if excess_N[order[0]] <= 0:
            return rows_ND[order[excess_N[order] <= 0]]
        best_ND = rows_ND[order]
        near_ND = around(problem.space, best_ND[:4])
        if not len(near_ND) or _excess(budget, problem.costs(near_ND)).min() >= excess_N[order[0]]:
            break
        rows_ND = np.concatenate([best_ND, near_ND])
        rows_ND = rows_ND[first_of_each(rows_ND)]
    raise UnreachableLimit(unreachable(budget, problem.costs(rows_ND)))


def _excess(budget: Limits, costs: Costs) -> NDArray[np.float64]:
    """Largest relative excess over the bounds, shape (N,); at most 0 within the budget."""
    parts = [(costs[name] - bound) / max(abs(bound), 1e-12) for name, bound in budget.bounds().items()]
    length = len(next(iter(costs.values())))
    return np.max(parts, axis=0).astype(np.float64) if parts else np.zeros(length)


def unreachable(budget: Limits, costs: Costs) -> str:
    """The sentence for a budget that none of the candidates meets."""
    smallest = ", ".join(f"{name} {float(np.min(costs[name])):,.6g}" for name in budget.bounds())
    asked = describe_limits(budget)
    return f"no candidate lies within {asked}; the smallest reached: {smallest}. Raise the limit"


def describe_limits(budget: Limits) -> str:
    """A budget in words: ``macs <= 40,000,000``."""
    return " and ".join(f"{name} <= {bound:,.6g}" for name, bound in budget.bounds().items()) or "no limit"


def tighten(budget: Limits, hard: Limits) -> Limits:
    """The tighter of two limits, cost by cost."""
    bounds = hard.bounds()
    for name, bound in budget.bounds().items():
        bounds[name] = min(bound, bounds.get(name, bound))
    return Limits(**{f"max_{name}": bound for name, bound in bounds.items()})
