"""Against the winner's curse: the top few pairs of every budget are trained again, and the posterior decides.

The best of many noisy results is partly luck. Stage 2 therefore hands over a few contenders per budget; each is trained
with fresh seeds; and the choice weighs those runs against the prediction, as in any Gaussian measurement:

    precision = 1 / std^2 + n / noise^2,   mean = (predicted / std^2 + sum(runs) / noise^2) / precision.

The runs that put a contender on the list are in the prediction already, and are not counted twice.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Prediction

Values = NDArray[np.float64]
PRIOR_RUNS = 4
"""Weight of the predictor's idea of the seed noise, in runs, against the spread of the repeats themselves."""
LEAST = 1e-9


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


def best_of_each_budget(value_M: Values, band_M: NDArray[np.int64], budgets: int, count: int) -> list[list[int]]:
    """The contenders of the highest values for each budget, among those that need the budget.

    Args:
        value_M: what is compared, such as posterior mean - confidence * std.
        band_M: position of the tightest budget that each contender fits, tightest first; ``budgets`` for none.
        budgets: how many there are.
        count: contenders for a budget, at most.

    Returns:
        Rows for each budget, the best first; none where no contender needs it, so that a cheaper one is as good.
    """
    best_first = np.argsort(-value_M, kind="stable")
    return [best_first[band_M[best_first] == band][:count].tolist() for band in range(budgets)]
