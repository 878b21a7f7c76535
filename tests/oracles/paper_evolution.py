"""FBNetV3's predictor-based genetic search, one constraint at a time (Dai et al., 2021, section 3.3 and algorithm 1).

Start: the best p known pairs and q random ones within the constraint. Each generation every member has 24 children by
uniform cross-over and mutation; children outside the constraint are rejected; the best 40 of parents and children stay;
the search ends when the best score gains at most 1e-6. Numbers that the paper does not print are those of the released
implementation where known, and otherwise the ones above.
"""

from collections.abc import Callable

import numpy as np

from search.problem.feasible import sample_within
from search.problem.limits import Limits
from search.problem.problem import Problem
from spaces.space import Codes, Space
from spaces.variation import mutate


def paper_evolution(
    problem: Problem,
    score: Callable[[Codes], np.ndarray],
    budget: Limits,
    start_ND: Codes,
    rng: np.random.Generator,
    *,
    known: int = 50,
    fresh: int = 50,
    children: int = 24,
    count: int = 40,
    gain: float = 1e-6,
) -> tuple[float, int]:
    """(best score, candidates scored)."""
    start_ND = start_ND[budget.allow(problem.costs(start_ND))][:known]
    members = np.concatenate([start_ND, sample_within(problem, fresh, rng, limits=budget)])
    value_N, calls = score(members), len(members)
    members, value_N = _best(members, value_N, count)
    while True:
        # Better members are crossed over less often (Srinivas and Patnaik, 1994): from 0 for the best to 0.5.
        spread = max(float(value_N.max() - value_N.mean()), 1e-12)
        crossed_N = rng.random(len(members) * children) < np.repeat(
            0.5 * np.clip((value_N.max() - value_N) / spread, 0, 1), children
        )
        parents = np.repeat(members, children, axis=0)
        mates = members[rng.integers(len(members), size=len(parents))]
        offspring = np.where(crossed_N[:, None], cross_over(problem.space, parents, mates, rng), parents)
        offspring = mutate(problem.space, offspring.astype(np.int16), rng, 1.0 / len(problem.space.dimensions))
        offspring = offspring[budget.allow(problem.costs(offspring))]
        before = float(value_N.max())
        if len(offspring):
            calls += len(offspring)
            value = np.concatenate([value_N, score(offspring)])
            members, value_N = _best(np.concatenate([members, offspring]), value, count)
        if value_N.max() - before <= gain:
            return float(value_N.max()), calls


def _best(codes_ND: Codes, value_N: np.ndarray, count: int) -> tuple[Codes, np.ndarray]:
    _, first = np.unique(codes_ND, axis=0, return_index=True)
    order = first[np.argsort(-value_N[first], kind="stable")][:count]
    return codes_ND[order], value_N[order]


def cross_over(space: Space, a_ND: Codes, b_ND: Codes, rng: np.random.Generator) -> Codes:
    """Each gene from either parent with equal probability; one that is missing comes from the parent that has it."""
    child_ND = np.where(rng.random(a_ND.shape) < 0.5, a_ND, b_ND)
    return space.complete(child_ND, np.where(a_ND >= 0, a_ND, b_ND))
