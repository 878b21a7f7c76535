"""How well predictions agree with the truth. Higher scores are better throughout."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from predictors.parts.targets import Z90
from predictors.protocol import Floats, Prediction


def _checked(predicted_N: Floats, truth_N: Floats, least: int) -> None:
    if predicted_N.ndim != 1 or predicted_N.shape != truth_N.shape or len(truth_N) < least:
        raise ValueError(
            f"agreement needs two arrays of one shape (N,), N >= {least}; given {predicted_N.shape} and {truth_N.shape}"
        )
    if not (np.isfinite(predicted_N).all() and np.isfinite(truth_N).all()):
        raise ValueError("agreement needs finite predictions and finite truth; leave failed trials out")


def _flat(*arrays: Floats) -> bool:
    return any(np.ptp(array) == 0 for array in arrays)


def kendall_tau(predicted_N: Floats, truth_N: Floats) -> float:
    """Kendall's tau-b, in [-1, 1]; 0 where either side is constant: such a prediction orders nothing.

    Raises:
        ValueError: fewer than two rows, different shapes, or a value that is not finite. So for all functions here.
    """
    _checked(predicted_N, truth_N, 2)
    return 0.0 if _flat(predicted_N, truth_N) else float(stats.kendalltau(predicted_N, truth_N).statistic)


def spearman(predicted_N: Floats, truth_N: Floats) -> float:
    """Spearman's rank correlation, in [-1, 1]; 0 where either side is constant."""
    _checked(predicted_N, truth_N, 2)
    return 0.0 if _flat(predicted_N, truth_N) else float(stats.spearmanr(predicted_N, truth_N).statistic)


def tau_in_top_quarter(predicted_N: Floats, truth_N: Floats) -> float:
    """Kendall's tau among the rows whose truth is in its top quarter: the ones a search has to tell apart."""
    _checked(predicted_N, truth_N, 8)
    top_N = truth_N >= np.quantile(truth_N, 0.75)
    return kendall_tau(predicted_N[top_N], truth_N[top_N])


def top_k_regret(predicted_N: Floats, truth_N: Floats, k: int = 10) -> float:
    """What is lost by training only the k rows predicted best: (best - best of them) / (best - median), >= 0.

    0 where the truth is so flat that best and median are equal. Ties in the prediction are broken by row.
    """
    _checked(predicted_N, truth_N, 1)
    if not 1 <= k <= len(truth_N):
        raise ValueError(f"top-k regret needs 1 <= k <= {len(truth_N)} rows, given k = {k}")
    trained = np.argsort(-predicted_N, kind="stable")[:k]
    best, median = truth_N.max(), np.median(truth_N)
    return float((best - truth_N[trained].max()) / (best - median)) if best > median else 0.0


def interval_coverage(prediction: Prediction, truth_N: Floats, *, noisy: bool = False) -> float:
    """Share of the truth within the central 90 % intervals; ``noisy`` says that it consists of single measurements."""
    _checked(prediction.mean_N, truth_N, 1)
    std_N = np.hypot(prediction.std_N, prediction.noise_std) if noisy else prediction.std_N
    return float((np.abs(truth_N - prediction.mean_N) <= Z90 * std_N).mean())


def best_per_group(
    predicted_N: Floats, truth_N: Floats, group_N: Sequence[Hashable] | NDArray[np.generic]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The best prediction and the best truth within each group, both (G,): of each architecture over its recipes."""
    _checked(predicted_N, truth_N, 1)
    _, index_N = np.unique(np.asarray(group_N), return_inverse=True)
    if len(index_N) != len(truth_N):
        raise ValueError(f"needs the group of each of {len(truth_N)} rows, given {len(index_N)}")
    best_2G = np.full((2, index_N.max() + 1), -np.inf)
    np.maximum.at(best_2G[0], index_N, predicted_N)
    np.maximum.at(best_2G[1], index_N, truth_N)
    return best_2G[0], best_2G[1]


def tau_of_best_per_group(
    predicted_N: Floats, truth_N: Floats, group_N: Sequence[Hashable] | NDArray[np.generic]
) -> float:
    """Kendall's tau between the best prediction and the best truth of each group."""
    return kendall_tau(*best_per_group(predicted_N, truth_N, group_N))
