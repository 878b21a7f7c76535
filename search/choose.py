"""Against the winner's curse: the top few pairs of every budget are trained again, and the posterior decides.

The best of many noisy results is partly luck. Stage 2 therefore hands over a few contenders per budget; each is trained
with fresh seeds; and the choice weighs those runs against the prediction, as in any Gaussian measurement:

    precision = 1 / std^2 + n / noise^2,   mean = (predicted / std^2 + sum(runs) / noise^2) / precision.

The runs that put a contender on the list are in the prediction already, and are not counted twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Prediction
from search.archive import first_of_each
from search.evolve import Pick
from search.limits import Costs, Limits
from spaces.space import Codes

Values = NDArray[np.float64]
PRIOR_RUNS = 4
"""Weight of the predictor's idea of the seed noise, in runs, against the spread of the repeats themselves."""
LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The contender chosen for a budget.

    Attributes:
        row: which contender.
        mean: posterior mean of its score.
        std: posterior standard deviation.
        luckiest: the contender with the best single fresh run within the budget, for comparison; None without runs.
    """

    row: int
    mean: float
    std: float
    luckiest: int | None


def contenders(picks: Sequence[Pick]) -> Codes:
    """The different candidates among the picks of all budgets, in their order; shape (N, D).

    Raises:
        ValueError: no picks.
    """
    if not picks:
        raise ValueError("there are no contenders without picks")
    codes_ND = np.stack([pick.codes for pick in picks])
    return codes_ND[first_of_each(codes_ND)]


def posterior(prediction: Prediction, repeats: Sequence[Sequence[float]]) -> tuple[Values, Values]:
    """Belief about the noise-free score of N contenders after fresh runs, as (mean_N, std_N).

    A shift that predictions and runs of all contenders share (over-optimism of the search) is estimated first and taken
    off everybody's prediction, so that a contender without runs gains nothing from it.

    Args:
        prediction: of the contenders; ``noise_std`` is the first guess of the seed noise.
        repeats: scores of the fresh runs of each contender; may be empty for some.

    Raises:
        ValueError: as many lists of runs as contenders are needed, and every score must be finite.
    """
    if len(repeats) != len(prediction.mean_N):
        raise ValueError(f"{len(prediction.mean_N)} contenders but {len(repeats)} lists of fresh runs")
    if not all(np.isfinite(runs).all() for runs in repeats):
        raise ValueError("a fresh run has a score that is not finite; leave failed runs out")
    count_N = np.array([len(runs) for runs in repeats], dtype=np.float64)
    total_N = np.array([float(np.sum(runs)) for runs in repeats])
    noise = noise_variance(prediction.noise_std, repeats)
    prior_N = np.maximum(prediction.std_N, LEAST) ** 2
    mean_N = prediction.mean_N + _shared_shift(prediction.mean_N, prior_N, count_N, total_N, noise)
    precision_N = 1 / prior_N + count_N / noise
    return (mean_N / prior_N + total_N / noise) / precision_N, np.sqrt(1 / precision_N)


def noise_variance(noise_std: float, repeats: Sequence[Sequence[float]]) -> float:
    """Pooled variance of fresh runs around their own means, with the predictor's guess as ``PRIOR_RUNS`` more runs."""
    squares = sum(float(np.sum((np.asarray(runs) - np.mean(runs)) ** 2)) for runs in repeats if len(runs) > 1)
    freedom = sum(len(runs) - 1 for runs in repeats if len(runs) > 1)
    if noise_std <= 0 and freedom == 0:
        return LEAST**2
    weight = PRIOR_RUNS if noise_std > 0 else 0
    return max((weight * noise_std**2 + squares) / (weight + freedom), LEAST**2)


def _shared_shift(mean_N: Values, prior_N: Values, count_N: Values, total_N: Values, noise: float) -> float:
    """Posterior mean of a shift common to all predictions, a priori as uncertain as a prediction."""
    seen = count_N > 0
    if not seen.any():
        return 0.0
    surprise = total_N[seen] / count_N[seen] - mean_N[seen]
    weight = 1 / (prior_N[seen] + noise / count_N[seen])
    return float((weight * surprise).sum() / (weight.sum() + 1 / prior_N.mean()))


def choose(
    budgets: Sequence[Limits],
    costs: Costs,
    prediction: Prediction,
    repeats: Sequence[Sequence[float]],
    confidence: float = 0.0,
) -> tuple[Choice, ...]:
    """The contender with the highest posterior mean - confidence * std within each budget.

    Args:
        budgets: limits of each member.
        costs: exact costs of the contenders.
        prediction: of the contenders, from all trials but the fresh runs.
        repeats: scores of the fresh runs of each contender.
        confidence: multiple of the posterior's standard deviation to subtract.

    Raises:
        ValueError: a budget that no contender fits.
    """
    mean_N, std_N = posterior(prediction, repeats)
    lucky_N = np.array([max(runs, default=-np.inf) for runs in repeats])
    choices = []
    for budget in budgets:
        rows = np.flatnonzero(budget.allow(costs))
        if not rows.size:
            raise ValueError(f"no contender fits the budget {budget.bounds()}")
        best = rows[np.argmax(mean_N[rows] - confidence * std_N[rows])]
        luckiest = rows[np.argmax(lucky_N[rows])]
        choices.append(
            Choice(
                row=int(best),
                mean=float(mean_N[best]),
                std=float(std_N[best]),
                luckiest=int(luckiest) if np.isfinite(lucky_N[luckiest]) else None,
            )
        )
    return tuple(choices)
