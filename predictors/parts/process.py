"""The Gaussian process of the predictors: the kernel of ``parts.kernel``, hyperparameters learnt, conditioned on rows.

Everything is a function of the arrays given. In float64 on one thread.
"""

import contextlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solve_triangular
from scipy.optimize import minimize

from predictors.parts.gaussian import factorise, leave_one_out, likelihood_slope, negative_log_likelihood, solve
from predictors.parts.kernel import Hyperparameters, Inputs, Pairs, cross_covariance, prior

Values = NDArray[np.float64]

STEPS = 50
"""At most this many steps of L-BFGS."""

BOUND = 6.0
"""Logarithms of hyperparameters stay within this distance of their prior means."""

CHUNK = 1024
"""Rows predicted at a time, so that their covariances with the training rows fit the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """A Gaussian process conditioned on targets: K + noise = L L'."""

    rows: Inputs
    at: Hyperparameters
    factor_NN: Values
    alpha_N: Values
    t_N: Values

    def __call__(self, new: Inputs) -> tuple[Values, Values]:
        """Mean and noise-free standard deviation of targets, both (M,)."""
        mean_M, variance_M = np.empty(len(new)), np.empty(len(new))
        for start in range(0, len(new), CHUNK):
            part = slice(start, start + CHUNK)
            cross_MN, self_M = cross_covariance(new.rows(part), self.rows, self.at)
            mean_M[part] = cross_MN @ self.alpha_N
            whitened_NM = solve_triangular(self.factor_NN, cross_MN.T, lower=True, check_finite=False)
            variance_M[part] = self_M - np.einsum("nm,nm->m", whitened_NM, whitened_NM)
        return mean_M, np.sqrt(np.maximum(variance_M, 0.0))

    def believing(self, new: Inputs) -> "Posterior":
        """The posterior if some more rows had the targets that it expects: the same means, less uncertainty."""
        cross_MN, _ = cross_covariance(new, self.rows, self.at)
        own_MM, _ = cross_covariance(new, new, self.at)
        own_MM[np.diag_indices(len(new))] += np.exp(self.at.noise)
        whitened_NM = solve_triangular(self.factor_NN, cross_MN.T, lower=True, check_finite=False)
        corner_MM = factorise(own_MM - whitened_NM.T @ whitened_NM)
        known, added = len(self.rows), len(new)
        factor_PP = np.zeros((known + added, known + added))
        factor_PP[:known, :known], factor_PP[known:, :known] = self.factor_NN, whitened_NM.T
        factor_PP[known:, known:] = corner_MM
        return Posterior(
            rows=self.rows.joined(new),
            at=self.at,
            factor_NN=factor_PP,
            alpha_N=np.concatenate([self.alpha_N, np.zeros(added)]),
            t_N=np.concatenate([self.t_N, cross_MN @ self.alpha_N]),
        )

    def leave_one_out(self) -> tuple[Values, Values]:
        """Mean and standard deviation (noise included) of each target given the others, both (N,)."""
        inverse_NN = solve(self.factor_NN, np.eye(len(self.t_N)))
        residual_N, variance_N = leave_one_out(np.diag(inverse_NN), self.alpha_N)
        return self.t_N - residual_N, np.sqrt(variance_N)


def condition(rows: Inputs, t_N: Values, at: Hyperparameters) -> Posterior:
    """The posterior at fixed hyperparameters."""
    covariance_NN, _ = cross_covariance(rows, rows, at)
    covariance_NN[np.diag_indices(len(rows))] += np.exp(at.noise)
    factor_NN = factorise(covariance_NN)
    alpha_N = solve(factor_NN, t_N)
    return Posterior(rows=rows, at=at, factor_NN=factor_NN, alpha_N=alpha_N, t_N=t_N)


def learn(rows: Inputs, t_N: Values, length: float = 1.0) -> Hyperparameters:
    """Maximum a posteriori hyperparameters, from the prior means by L-BFGS; the best point visited where it fails.

    ``length`` is that of ``predictors.parts.kernel.prior``.
    """
    start, width_H = prior(rows.dims, rows.z_NK.shape[1], length)
    centre_H, pairs, size = start.vector(), Pairs(rows), len(rows)
    best = (np.inf, centre_H)

    def loss(vector_H: Values) -> tuple[float, Values]:
        nonlocal best
        at = start.like(vector_H)
        covariance_NN, backward = pairs.covariance(at)
        noise = np.exp(at.noise)
        covariance_NN[np.diag_indices(size)] += noise
        factor_NN = factorise(covariance_NN)
        inverse_NN = solve(factor_NN, np.eye(size))
        alpha_N = inverse_NN @ t_N
        off_H = (vector_H - centre_H) / width_H
        value = negative_log_likelihood(factor_NN, t_N, alpha_N) + 0.5 * off_H @ off_H
        gradient_NN = likelihood_slope(inverse_NN, alpha_N)
        by_noise = float(np.trace(gradient_NN) * noise)
        gradient_H = replace(backward(gradient_NN), noise=by_noise).vector() + off_H / width_H
        if value < best[0]:
            best = (float(value), vector_H.copy())
        return float(value), gradient_H

    bounds = list(zip(centre_H - BOUND, centre_H + BOUND, strict=True))
    options = {"maxiter": STEPS, "ftol": 1e-5}
    with contextlib.suppress(LinAlgError):  # a degenerate trial step: the best point so far is a sound one
        minimize(loss, centre_H, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return start.like(best[1])


def spread_rows(y_N: Values, limit: int, best: float = 0.5) -> NDArray[np.intp]:
    """At most ``limit`` rows, ascending: a share ``best`` from the top, the rest evenly down the ranks."""
    if len(y_N) <= limit:
        return np.arange(len(y_N))
    order_N = np.argsort(-y_N, kind="stable")
    top = int(limit * best)
    rest = np.linspace(top, len(y_N) - 1, limit - top).round().astype(np.intp)
    return np.sort(np.concatenate([order_N[:top], order_N[rest]]))
