"""Who is beaten by nobody."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost_N: ArrayLike, score_N: ArrayLike) -> NDArray[np.intp]:
    """Rows that no other row beats, cheapest first: each costs more and scores strictly more than the one before.

    Rows with a NaN are left out; of equal rows the first is kept.

    Raises:
        ValueError: the two have different lengths.
    """
    cost, score = np.asarray(cost_N, dtype=float), np.asarray(score_N, dtype=float)
    if cost.shape != score.shape or cost.ndim != 1:
        raise ValueError(f"costs and scores need one shape (N,), given {cost.shape} and {score.shape}")
    known = np.flatnonzero(~(np.isnan(cost) | np.isnan(score)))
    order = known[np.lexsort((-score[known], cost[known]))]
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(score[order])[:-1]]) if order.size else order
    return order[score[order] > best_before]
