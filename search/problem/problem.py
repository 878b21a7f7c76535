"""What samplers and stage 2 search over: a space, its exact costs, the limits, and the budgets of the family."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.problem.limits import Costs, Limits
from spaces.space import Codes, Space


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A joint search problem. All functions are exact, vectorised, and cost no training.

    Attributes:
        space: what may be chosen.
        costs: codes_ND -> cost arrays by name; exact, never modelled.
        statistics: codes_ND -> free statistics s_NK on a sensible (logarithmic) scale, inputs of the predictor.
        limits: hard limits that every trained candidate meets.
        budgets: the limits of each family member, tightest first; each at least as tight as ``limits``.
        pool: codes of the only candidates that exist, where the space is a recorded table with gaps; else None.
        logarithms: names of costs whose natural logarithms are statistics, and their columns: a limit on such a cost
            is one on the column.
    """

    space: Space
    costs: Callable[[Codes], Costs]
    statistics: Callable[[Codes], NDArray[np.float64]]
    limits: Limits
    budgets: tuple[Limits, ...]
    pool: Codes | None = None
    logarithms: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def anchors(self) -> dict[Limits, Codes]:
        """A candidate within each of the limits that candidates were drawn within, found once: thousands of counts."""
        return {}

    @cached_property
    def cheapest(self) -> dict[str, Codes]:
        """The cheapest candidates by each cost that was asked for, by the name of the cost, found once."""
        return {}

    def feasible(self, codes_ND: Codes) -> NDArray[np.bool_]:
        """Whether each candidate meets the hard limits, shape (N,)."""
        return self.limits.allow(self.costs(codes_ND))

    def affordable(self, codes_ND: Codes) -> NDArray[np.bool_]:
        """Whether each candidate fits each budget, shape (K, N)."""
        costs = self.costs(codes_ND)
        return np.stack([budget.allow(costs) for budget in self.budgets])

    def bands(self, codes_ND: Codes) -> NDArray[np.int64]:
        """Position of the tightest budget that each candidate fits, shape (N,); the number of budgets for none."""
        return bands_of(self.affordable(codes_ND))


def bands_of(fits_KN: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Position of the tightest budget that each candidate fits, budgets tightest first; K for none; shape (N,)."""
    beyond_N: NDArray[np.int64] = (~fits_KN).sum(axis=0)
    return beyond_N


@dataclass(frozen=True, kw_only=True)
class Observations:
    """Candidates whose score is known: codes_ND and score_N (higher is better), in the order of their trial numbers."""

    codes_ND: Codes
    score_N: NDArray[np.float64]

    def __post_init__(self) -> None:
        if len(self.codes_ND) != len(self.score_N):
            raise ValueError(f"{len(self.codes_ND)} candidates but {len(self.score_N)} scores")

    def best(self, count: int) -> Codes:
        """The candidates of the ``count`` highest scores, best first."""
        codes_ND: Codes = self.codes_ND[np.argsort(-self.score_N, kind="stable")[:count]]
        return codes_ND


def best_per_budget(
    problem: Problem, codes_ND: Codes, score_N: Sequence[float] | NDArray[np.float64]
) -> list[int | None]:
    """Row of the best-scoring candidate within each budget; None where no candidate fits."""
    score = np.asarray(score_N, dtype=float)
    picks: list[int | None] = []
    for fits_N in problem.affordable(codes_ND):
        rows = np.flatnonzero(fits_N)
        picks.append(int(rows[np.argmax(score[rows])]) if rows.size else None)
    return picks
