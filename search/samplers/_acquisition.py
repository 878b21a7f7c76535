"""Expected improvement of a whole family: one surrogate, many budgets, exact costs."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, logsumexp

from spaces.codes import hamming
from spaces.space import Codes

Floats = NDArray[np.float64]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_LOG_SQRT_HALF_PI = 0.5 * np.log(np.pi / 2)
_TAIL = -1e5
"""Below this many standard deviations 1 - |z| * (Mills ratio) is all rounding, and its limit 1 / z^2 takes over."""


def log_improvement(z: Floats) -> Floats:
    """``log(phi(z) + z * Phi(z))``, accurate in both tails (Ament et al., NeurIPS 2023, equation 9)."""
    low = z < -1.0
    out = np.empty_like(z)
    high = z[~low]
    out[~low] = np.log(np.exp(-0.5 * high**2 - _LOG_SQRT_2PI) + high * np.exp(log_ndtr(high)))
    below = z[low]
    clipped = np.maximum(below, _TAIL)
    mills = np.log(erfcx(-clipped / np.sqrt(2)) * -clipped) + _LOG_SQRT_HALF_PI
    remainder = np.where(below > _TAIL, np.log(-np.expm1(np.minimum(mills, -1e-300))), -2 * np.log(-below))
    out[low] = -0.5 * below**2 - _LOG_SQRT_2PI + remainder
    return out


def log_expected_improvement(mean_N: Floats, std_N: Floats, best: float | Floats) -> Floats:
    """Logarithm of the expected improvement over ``best``; ``-inf`` only where std is 0 and mean does not exceed it."""
    gain = mean_N - best
    certain = std_N <= 0
    std = np.where(certain, 1.0, std_N)
    with np.errstate(divide="ignore"):
        sure = np.log(np.maximum(gain, 0.0))
    improvement: Floats = np.where(certain, sure, np.log(std) + log_improvement(gain / std))
    return improvement


def family_improvement(
    mean_N: Floats, std_N: Floats, fits_KN: NDArray[np.bool_], best_K: Floats, weight_K: Floats
) -> Floats:
    """Logarithm of the weighted sum, over the budgets a candidate fits, of its expected improvement; shape (N,).

    Costs are exact, so the expected hypervolume improvement of (score, cost) is an integral over budgets of the
    expected improvement at each; with the user's budgets it is this sum.
    """
    gain_KN = log_expected_improvement(mean_N[None, :], std_N[None, :], best_K[:, None])
    with np.errstate(divide="ignore"):
        weighted_KN = np.where(fits_KN, gain_KN + np.log(weight_K)[:, None], -np.inf)
    total_N: Floats = logsumexp(weighted_KN, axis=0)
    return total_N


def incumbents(
    mean_N: Floats, fits_KN: NDArray[np.bool_], field_mean_M: Floats, field_fits_KM: NDArray[np.bool_]
) -> Floats:
    """Best posterior mean among the trained candidates of each budget, shape (K,).

    A budget without one is judged by what it would have unsearched: the median of what the model expects of the
    candidates of a field that fit it. Where none fits, the worst of all.
    """
    best_K = np.where(fits_KN, mean_N[None, :], -np.inf).max(axis=1)
    for budget in np.flatnonzero(~np.isfinite(best_K)):
        expected = field_mean_M[field_fits_KM[budget]]
        best_K[budget] = np.median(expected) if len(expected) else mean_N.min()
    best: Floats = best_K
    return best


SPREAD = 0.3
"""Share of the proposals that is divided evenly among the budgets; the rest goes where most can be gained."""


def whose_turn(gain_N: Floats, band_N: NDArray[np.int64], proposed_K: NDArray[np.int64]) -> int:
    """The budget that has fewest proposals for what it can still gain.

    Args:
        gain_N: logarithm of the family's expected improvement by each candidate; ``-inf`` for those not to be chosen.
        band_N: tightest budget of each candidate; only budgets with a candidate are considered.
        proposed_K: earlier proposals in each budget's band.
    """
    budgets = len(proposed_K)
    best_K = np.array([gain_N[band_N == k].max(initial=-np.inf) for k in range(budgets)])
    open_K = np.isfinite(best_K)
    if not open_K.any():
        return int(band_N[np.argmax(gain_N)])
    share_K = np.where(open_K, np.exp(best_K - best_K[open_K].max()), 0.0)
    wanted_K = SPREAD * open_K / open_K.sum() + (1.0 - SPREAD) * share_K / share_K.sum()
    deficit_K = np.where(open_K, wanted_K * (proposed_K.sum() + 1) - proposed_K, -np.inf)
    return int(np.argmax(deficit_K))


def best_of_bands(gain_N: Floats, band_N: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """Rows of the ``count`` greatest finite gains in each budget's band."""
    order_N = np.argsort(-gain_N, kind="stable")
    order_N = order_N[np.isfinite(gain_N[order_N])]
    ranked = [order_N[band_N[order_N] == band][:count] for band in np.unique(band_N[order_N])]
    rows: NDArray[np.intp] = np.concatenate(ranked) if ranked else np.zeros(0, dtype=np.intp)
    return rows


def diverse(codes_ND: Codes, chosen: list[Codes], distance: int) -> NDArray[np.bool_]:
    """Which candidates differ from every chosen one in at least ``distance`` dimensions, shape (N,)."""
    far_N = np.ones(len(codes_ND), dtype=bool)
    for chosen_D in chosen:
        far_N &= hamming(codes_ND, chosen_D) >= distance
    return far_N
