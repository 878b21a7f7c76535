"""Measures of a search of a whole space: as in ``search.replay.measures``, but for what nobody can list.

* ``family_regret``: mean over the budgets of (best - found) / (best - median), in the model's means. ``found`` is the
  candidate with the best *seen* score among those trained within the budget; where there is none it counts as 1. The
  median is that of the recorded rows within the budget. The best is the best known: of the recorded rows, of climbs
  from the best of them and of uniform draws, and of all traces that are compared. So it is a lower bound of the regret.
* ``family_regret_recommended``: the same with the candidate that a sampler with a posterior would keep.
* ``regret_K``: the same of each budget, 1 the tightest; ``trials_in_band_K``: trials whose tightest budget it is.
* ``seconds``: mean time of a proposal so far.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search.problem.problem import bands_of
from search.problem.supply import Supply
from search.surrogate.model import Surrogate
from spaces.codes import distinct
from spaces.space import Codes

Floats = NDArray[np.float64]

DRAWN = 1000
"""Uniform candidates within each budget from which climbs start, beside the recorded ones."""
STARTS = 4
"""Climbs for each budget."""
STEPS = 40
"""Most steps of a climb."""


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """What regrets are measured with, one value for each budget, shape (K,).

    Attributes:
        bound_K: the cost that a budget allows.
        best_K: best mean score that is known within it.
        median_K: median of the recorded candidates within it.
    """

    bound_K: Floats
    best_K: Floats
    median_K: Floats


def yardsticks(surrogate: Surrogate, traces: pd.DataFrame) -> Yardsticks:
    """The measures of a space, with the best of all its traces."""
    problem = surrogate.problem
    bound_K = np.array([budget.bounds()[surrogate.cost] for budget in problem.budgets])
    recorded_ND = surrogate.rows.codes_ND
    truth_N, fits_KN = surrogate.truth(recorded_ND), problem.affordable(recorded_ND)
    seen_K = [traces["truth"][traces["cost"] <= bound].max() for bound in bound_K]
    return Yardsticks(
        bound_K=bound_K,
        best_K=np.fmax(climbed(surrogate), seen_K),
        median_K=np.array([np.median(truth_N[fits_N]) for fits_N in fits_KN]),
    )


def climbed(surrogate: Surrogate) -> Floats:
    """Best mean score within each budget that climbs reach, one or two choices at a step, shape (K,)."""
    supply, rng = Supply(surrogate.problem), np.random.default_rng(0)
    field_ND = distinct(np.concatenate([surrogate.rows.codes_ND, supply.draw_within_budgets(DRAWN, rng)]))
    top_ND, truth_N = _leaders(surrogate, field_ND)
    for _ in range(STEPS):
        best = truth_N.sum()
        top_ND, truth_N = _leaders(surrogate, distinct(np.concatenate([top_ND, supply.around(top_ND, rng)])))
        if truth_N.sum() == best:
            break
    fits_KN = surrogate.problem.affordable(top_ND)
    best_K: Floats = np.where(fits_KN, truth_N, -np.inf).max(axis=1)
    return best_K


def _leaders(surrogate: Surrogate, codes_ND: Codes) -> tuple[Codes, Floats]:
    """The ``STARTS`` best candidates within each budget, and their means."""
    truth_N = surrogate.truth(codes_ND)
    fits_KN = surrogate.problem.affordable(codes_ND)
    order_KN = np.argsort(np.where(fits_KN, -truth_N, np.inf), axis=1, kind="stable")[:, :STARTS]
    rows = np.unique(order_KN)
    return codes_ND[rows], truth_N[rows]


def measures(trace: pd.DataFrame, yardstick: Yardsticks) -> dict[str, float]:
    """The measures of one trace as far as it goes."""
    cost_N, score_N, truth_N = (trace[name].to_numpy(dtype=np.float64) for name in ("cost", "score", "truth"))
    fits_KN = cost_N <= yardstick.bound_K[:, None]
    picks = [int(np.argmax(np.where(fits_N, score_N, -np.inf))) if fits_N.any() else -1 for fits_N in fits_KN]
    regret_K = _regrets(truth_N, picks, yardstick)
    band_N = bands_of(fits_KN)
    advice = trace["advice"].iloc[-1]
    recommended = picks if advice is None else [int(row) for row in advice]
    return {
        "family_regret": float(np.mean(regret_K)),
        "family_regret_recommended": float(np.mean(_regrets(truth_N, recommended, yardstick))),
        "seconds": float(trace["seconds"].mean()),
        **{f"regret_{k}": regret for k, regret in enumerate(regret_K, start=1)},
        **{f"trials_in_band_{k + 1}": float((band_N == k).sum()) for k in range(len(regret_K))},
    }


def _regrets(truth_N: Floats, picks: list[int], yardstick: Yardsticks) -> list[float]:
    columns = zip(picks, yardstick.best_K.tolist(), yardstick.median_K.tolist(), strict=True)
    return [
        1.0 if pick < 0 else (best - float(truth_N[pick])) / max(best - median, 1e-12) for pick, best, median in columns
    ]
