"""The best candidates seen so far within each of many budgets: what one evolution keeps for the whole family."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.problem.limits import Costs, Limits
from spaces.codes import first_of_each
from spaces.space import Codes

Values = NDArray[np.float64]


class Archive:
    """Up to ``elite`` different candidates per budget, best first. K budgets, E places, D dimensions.

    Attributes:
        codes_KED: codes; rows at or beyond ``filled_K`` mean nothing.
        value_KE: objective, ``-inf`` where nothing is kept.
        origin_KE: index of where the candidate came from, as given to ``update``.
        filled_K: how many places of each budget are taken.
    """

    def __init__(self, budgets: Sequence[Limits], dimensions: int, elite: int) -> None:
        self.budgets = tuple(budgets)
        self.codes_KED: Codes = np.full((len(self.budgets), elite, dimensions), -1, dtype=np.int16)
        self.value_KE: Values = np.full((len(self.budgets), elite), -np.inf)
        self.origin_KE = np.zeros((len(self.budgets), elite), dtype=np.int64)
        self.filled_K = np.zeros(len(self.budgets), dtype=np.int64)

    @property
    def best_K(self) -> Values:
        """Best value of each budget, ``-inf`` where it is still empty."""
        return self.value_KE[:, 0].copy()

    def update(self, codes_ND: Codes, value_N: Values, costs: Costs, origin: int) -> None:
        """Offer candidates to every budget; each keeps its best. Ties go to who came first."""
        for k, budget in enumerate(self.budgets):
            rows = np.flatnonzero((value_N > self.value_KE[k, -1]) & budget.allow(costs))
            if rows.size:
                self._merge(k, codes_ND[rows], value_N[rows], origin)

    def _merge(self, k: int, codes_ND: Codes, value_N: Values, origin: int) -> None:
        filled, elite = int(self.filled_K[k]), self.value_KE.shape[1]
        codes = np.concatenate([self.codes_KED[k, :filled], codes_ND])
        value = np.concatenate([self.value_KE[k, :filled], value_N])
        origins = np.concatenate([self.origin_KE[k, :filled], np.full(len(codes_ND), origin)])
        order = np.argsort(-value, kind="stable")[: 4 * elite]
        order = order[first_of_each(codes[order])][:elite]
        self.filled_K[k] = len(order)
        self.codes_KED[k, : len(order)] = codes[order]
        self.value_KE[k, : len(order)] = value[order]
        self.origin_KE[k, : len(order)] = origins[order]

    def members(self) -> Codes:
        """Every candidate kept for any budget, without repeats, the best of each budget first; shape (N, D)."""
        ranks = self.codes_KED.transpose(1, 0, 2).reshape(-1, self.codes_KED.shape[2])
        filled = (np.arange(self.codes_KED.shape[1])[:, None] < self.filled_K[None, :]).reshape(-1)
        codes_ND = ranks[filled]
        return codes_ND[first_of_each(codes_ND)]
