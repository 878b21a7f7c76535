"""Which of very many children are worth the full predictor: the student's choice for every budget at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.evolution.student import Student, fit_tables
from search.problem.limits import Costs, Limits
from search.problem.problem import Problem
from spaces.space import Codes

Values = NDArray[np.float64]
WIDER = 4


class Screen:
    """A student of the objective and of the costs, and what it still lets through for each budget.

    Costs are screened by the student too, since exact counts of a million candidates take seconds; whoever passes is
    counted exactly before anything else happens, so a limit is never broken by the student's error.
    """

    def __init__(
        self, problem: Problem, budgets: Sequence[Limits], codes_ND: Codes, value_N: Values, places: int
    ) -> None:
        self._places = places
        self._names = tuple(dict.fromkeys(name for budget in budgets for name in budget.bounds()))
        costs = problem.costs(codes_ND)
        self._offset = {name: 0.01 * float(np.median(costs[name])) + 1e-12 for name in self._names}
        columns = [value_N, *(np.log(costs[name] + self._offset[name]) for name in self._names)]
        self._student = Student(fit_tables(problem.space, codes_ND, np.stack(columns, axis=1), "all"))
        self._bound_KC = np.array([self._log_bounds(budget) for budget in budgets]).reshape(len(budgets), -1)
        self._floor_K = np.full(len(budgets), -np.inf)

    def _log_bounds(self, budget: Limits) -> list[float]:
        """Bounds on the student's costs: the logarithm plus its usual error, so that few good ones are lost."""
        bounds = budget.bounds()
        return [
            float(np.log(max(bounds[name], 0.0) + self._offset[name])) + self._student.held_out_error[1 + c]
            if name in bounds
            else np.inf
            for c, name in enumerate(self._names)
        ]

    def best(self, codes_ND: Codes) -> NDArray[np.int64]:
        """Rows among the best ``places`` of some budget in the student's opinion, the best of each budget first."""
        out_NT = self._student(codes_ND)
        value_N, costs_CN = np.ascontiguousarray(out_NT[:, 0]), np.ascontiguousarray(out_NT[:, 1:].T)
        ranked = np.full((self._places, len(self._bound_KC)), -1, dtype=np.int64)
        for k, bound_C in enumerate(self._bound_KC.astype(np.float32)):
            fits_N = np.ones(len(value_N), dtype=bool)
            for cost_N, bound in zip(costs_CN, bound_C, strict=True):
                fits_N &= cost_N <= bound
            order = self._first(k, value_N, fits_N)
            ranked[: len(order), k] = order
        flat = ranked.ravel()
        flat = flat[flat >= 0]
        return flat[np.sort(np.unique(flat, return_index=True)[1])]

    def _first(self, k: int, value_N: NDArray[np.float32], fits_N: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The best ``places`` of those that fit budget k, best first.

        The value at place ``WIDER * places`` of an earlier round is a floor: nearly all rows end at one comparison.
        """
        wide = WIDER * self._places
        rows = np.flatnonzero(fits_N & (value_N > self._floor_K[k]))
        if len(rows) < self._places:
            rows = np.flatnonzero(fits_N)
        if len(rows) > wide:
            rows = rows[np.sort(np.argpartition(-value_N[rows], wide - 1)[:wide])]
            self._floor_K[k] = value_N[rows].min()
        return rows[np.argsort(-value_N[rows], kind="stable")[: self._places]]


def take(costs: Costs, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """The costs of some rows."""
    return {name: np.asarray(cost_N)[rows] for name, cost_N in costs.items()}
