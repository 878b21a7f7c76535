"""The arithmetic of Gaussian processes, whatever their kernel: what follows from a covariance and from targets.

Predictors, the model of latencies, the forecaster of learning curves and stage 2's student stand on it. Covariances
include the noise, targets have mean zero, and alpha is covariance^-1 targets.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky

Values = NDArray[np.float64]

JITTERS = (0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)


def factorise(covariance_NN: Values, shifts: Sequence[float] | None = None) -> Values:
    """Lower Cholesky factor of the covariance, its diagonal raised by the first of ``shifts`` with which it has one.

    By default they escalate from nothing to 1e-2 of the diagonal's mean.

    Raises:
        LinAlgError: the covariance is not finite, or far from positive definite.
    """
    if shifts is None:
        scale = float(np.trace(covariance_NN)) / max(len(covariance_NN), 1)
        shifts = [jitter * scale for jitter in JITTERS]
    identity_NN = np.eye(len(covariance_NN))
    for shift in shifts:
        try:
            factor_NN: Values = cholesky(covariance_NN + shift * identity_NN, lower=True)
            return factor_NN
        except (LinAlgError, ValueError) as error:
            last = error
    raise LinAlgError(f"the covariance stays indefinite with {shifts[-1]:.3g} added to its diagonal: {last}")


def solve(factor_NN: Values, right_NM: Values) -> Values:
    """covariance^-1 right, given the covariance's lower Cholesky factor; shape of ``right``."""
    solution_NM: Values = cho_solve((factor_NN, True), right_NM, check_finite=False)
    return solution_NM


def negative_log_likelihood(factor_NN: Values, t_N: Values, alpha_N: Values) -> float:
    """Of the targets, marginal over functions; without the constant N log(2 pi) / 2."""
    return float(0.5 * t_N @ alpha_N + np.log(np.diag(factor_NN)).sum())


def likelihood_slope(inverse_NN: Values, alpha_N: Values) -> Values:
    """Gradient of ``negative_log_likelihood`` by the covariance, whose inverse is given; shape (N, N)."""
    slope_NN: Values = 0.5 * (inverse_NN - np.outer(alpha_N, alpha_N))
    return slope_NN


def leave_one_out(precision_N: Values, alpha_N: Values) -> tuple[Values, Values]:
    """What each target differs from its prediction by the others, and that prediction's variance, noise included.

    Args:
        precision_N: the diagonal of covariance^-1; like ``alpha_N`` with further axes before it for several processes.
        alpha_N: covariance^-1 targets.

    Returns:
        (residual_N, variance_N): both of the shape of ``alpha_N`` (Rasmussen and Williams, 2006, section 5.4.2).
    """
    variance_N = 1.0 / precision_N
    return alpha_N * variance_N, variance_N


def squared_distances(a_NF: Values, b_MF: Values) -> Values:
    """Squared Euclidean distances, shape (N, M)."""
    squared_NM: Values = (a_NF**2).sum(axis=1)[:, None] + (b_MF**2).sum(axis=1) - 2.0 * a_NF @ b_MF.T
    return np.maximum(squared_NM, 0.0)
