"""A Gaussian process on dimensions and free statistics: the default where a few dozen to a few hundred are trained.

Everything is a function of the layout and of the arrays given: no random numbers, no memory of earlier fits (but a
cache that returns what would be computed again). In float64 on one thread.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from predictors.parts.bounds import Ceiling, Mean, ceilings
from predictors.parts.calibration import STRUCTURE, inflation
from predictors.parts.derived import derived
from predictors.parts.inputs import check_columns, check_scores
from predictors.parts.kernel import Hyperparameters, Inputs, Pairs, cross_covariance, inputs, prior
from predictors.parts.targets import Targets, targets
from predictors.protocol import Floats, Prediction
from spaces.encoding import Layout

Values = NDArray[np.float64]

STEPS = 50
"""At most this many steps of L-BFGS."""

BOUND = 6.0
"""Logarithms of hyperparameters stay within this distance of their prior means."""

CHUNK = 1024
"""Rows predicted at a time, so that their covariances with the training rows fit the processor's cache."""

FOLDS = 5
REFITTED = 100
"""Up to this many rows intervals are judged by folds that learn hyperparameters without the rows they judge. Each fold
costs as much as the fit itself; of more rows hyperparameters are sure enough to be shared."""

GROWTH = 17 / 16
"""With ``refit='grown'`` hyperparameters are learnt anew when the data have grown by this factor."""


@dataclass(frozen=True, kw_only=True)
class Scaler:
    """Standardises the columns that vary and drops those that do not or that repeat an earlier one."""

    kept_K: NDArray[np.intp]
    mean_K: Values
    std_K: Values

    def __call__(self, raw_NC: Values) -> Values:
        """Standardised columns, clipped at 4 so that a candidate far outside is not extrapolated to."""
        return np.clip((raw_NC[:, self.kept_K] - self.mean_K) / self.std_K, -4.0, 4.0)


def scaler(raw_NC: Values) -> Scaler:
    """The scaler of these columns."""
    mean_C, std_C = raw_NC.mean(axis=0), raw_NC.std(axis=0)
    varies_C = np.flatnonzero(std_C > 1e-9 * np.maximum(1.0, np.abs(mean_C)))
    unit_NC = (raw_NC[:, varies_C] - mean_C[varies_C]) / std_C[varies_C]
    twin_CC = np.abs(unit_NC.T @ unit_NC) / max(len(raw_NC), 1) > 1.0 - 1e-9
    kept_K = varies_C[~np.triu(twin_CC, 1).any(axis=0)] if len(varies_C) else varies_C
    return Scaler(kept_K=kept_K, mean_K=mean_C[kept_K], std_K=std_C[kept_K])


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

    def leave_one_out(self) -> tuple[Values, Values]:
        """Mean and standard deviation (noise included) of each target given the others, both (N,)."""
        inverse_NN = cho_solve((self.factor_NN, True), np.eye(len(self.t_N)), check_finite=False)
        variance_N = 1.0 / np.diag(inverse_NN)
        return self.t_N - self.alpha_N * variance_N, np.sqrt(variance_N)


def factorise(covariance_NN: Values) -> Values:
    """Lower Cholesky factor, with a jitter on the diagonal that escalates from nothing to 1e-2 of its mean.

    Raises:
        LinAlgError: the covariance is not finite, or far from positive definite.
    """
    scale = float(np.trace(covariance_NN)) / max(len(covariance_NN), 1)
    for jitter in (0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2):
        try:
            shifted_NN = covariance_NN + jitter * scale * np.eye(len(covariance_NN))
            factor_NN: Values = cholesky(shifted_NN, lower=True)
            return factor_NN
        except (LinAlgError, ValueError) as error:
            last = error
    raise LinAlgError(f"the covariance stays indefinite with a jitter of 1e-2 of its mean diagonal: {last}")


def condition(rows: Inputs, t_N: Values, at: Hyperparameters) -> Posterior:
    """The posterior at fixed hyperparameters."""
    covariance_NN, _ = cross_covariance(rows, rows, at)
    covariance_NN[np.diag_indices(len(rows))] += np.exp(at.noise)
    factor_NN = factorise(covariance_NN)
    alpha_N = cho_solve((factor_NN, True), t_N, check_finite=False)
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
        inverse_NN = cho_solve((factor_NN, True), np.eye(size), check_finite=False)
        alpha_N = inverse_NN @ t_N
        off_H = (vector_H - centre_H) / width_H
        value = 0.5 * t_N @ alpha_N + np.log(np.diag(factor_NN)).sum() + 0.5 * off_H @ off_H
        gradient_NN = 0.5 * (inverse_NN - np.outer(alpha_N, alpha_N))
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


class Model:
    """Gaussian process with the kernel of ``parts.kernel``, on the targets of ``predictors.parts.targets``.

    Args:
        layout: the columns of x_NF.
        rng: not drawn from: the model is deterministic.
        refit: ``always`` learns hyperparameters from all rows, in any order. ``grown`` learns them from the first m
            rows, m the last of 1, 2, ..., each the former times 17/16 rounded up, that is <= N, and conditions on all:
            a sampler that fits after every trial pays for few of them, and replaying its trials gives the same model.
        rows: the posterior is exact up to this number of rows; of more it takes the best half, and the rest evenly down
            the ranks, so that time and memory stay bounded (O(rows^2)).
        learning_rows: as ``rows``, for learning hyperparameters, with no preference for the best.
        unit: of predictions: that of the scores, or the learning scale of ``parts.targets``, on which a difference
            means the same wherever it lies. Scores are given as they are in both cases.
        length: factor on the prior medians of the dimensions' length scales; below 1 expects rougher scores.
        intervals: how their width is judged. ``refitted`` leaves rows out of the learning of hyperparameters as well
            (for up to ``REFITTED`` rows, at five times the cost of a fit); ``shared`` only out of the conditioning, and
            is narrower where few rows shaped many hyperparameters.
        structure: share of the learnt noise variance that belongs to the spread of the noise-free score
            (``parts.calibration.STRUCTURE``, which intervals need to hold); 0 leaves the model's own uncertainty,
            which differs between candidates and says where a trial would teach most.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        rng: np.random.Generator,
        refit: Literal["always", "grown"] = "always",
        rows: int = 1000,
        learning_rows: int = 250,
        unit: Literal["score", "target"] = "score",
        length: float = 1.0,
        intervals: Literal["refitted", "shared"] = "refitted",
        structure: float = STRUCTURE,
    ) -> None:
        if refit not in ("always", "grown") or rows < 2 or learning_rows < 2 or unit not in ("score", "target"):
            raise ValueError(
                "gp: refit is always or grown, rows and learning_rows are >= 2, unit is score or target; "
                f"given {refit}, {rows}, {learning_rows}, {unit}"
            )
        if intervals not in ("refitted", "shared"):
            raise ValueError(f"gp: intervals is refitted or shared, given {intervals}")
        if length <= 0 or not 0 <= structure <= 1:
            raise ValueError(f"gp: length is > 0 and structure from 0 to 1; given {length} and {structure}")
        self.length, self.intervals, self.structure = length, intervals, structure
        self.unit, self.layout, self.refit, self.rows, self.learning_rows = unit, layout, refit, rows, learning_rows
        self._pool: Scaler | None = None
        self._learnt: tuple[bytes, Hyperparameters] | None = None
        self._posterior: Posterior | None = None

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Take the scale of the statistics from many candidates instead of from the few that are trained."""
        check_columns(self.layout, x_NF, s_NK)
        self._pool = scaler(self._raw(x_NF, s_NK)) if len(x_NF) > 1 else None

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        y_N = check_scores(self.layout, x_NF, s_NK, y_N)
        raw_NC = self._raw(x_NF, s_NK)
        if self._pool is not None and self._pool.kept_K.size and self._pool.kept_K[-1] >= raw_NC.shape[1]:
            raise ValueError(f"pretrained with more statistics than the {s_NK.shape[1]} given to fit")
        self._scaler = self._pool or scaler(raw_NC)
        self._statistics = s_NK.shape[1]
        everything = inputs(self.layout, x_NF, self._scaler(raw_NC))
        at = self._hyperparameters(everything, y_N)
        kept = spread_rows(y_N, self.rows)
        self.targets: Targets = targets(y_N)
        self._posterior = condition(everything.rows(kept), self.targets.t_N[kept], at)
        self._inflation = inflation(*self._left_out())

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        posterior = self.posterior
        check_columns(self.layout, x_NF, s_NK, self._statistics)
        mean_N, std_N = posterior(inputs(self.layout, x_NF, self._scaler(self._raw(x_NF, s_NK))))
        noise = np.exp(posterior.at.noise)
        wide_N = self._inflation * np.sqrt(std_N**2 + self.structure * noise)
        seeds = float(self._inflation * np.sqrt((1.0 - self.structure) * noise))
        if self.unit == "target":
            return Prediction(mean_N=mean_N, std_N=wide_N, noise_std=seeds)
        return self.targets.prediction(mean_N, wide_N, seeds)

    def ceilings(self, options: Sequence[Floats], high_BK: Floats) -> Sequence[Ceiling]:
        """Upper bounds of the predicted mean over a whole space; see ``predictors.parts.bounds.Bounded``.

        Raises:
            RuntimeError: called before ``fit``.
        """
        posterior, scale = self.posterior, self._scaler
        mean = Mean(
            layout=self.layout,
            rows=posterior.rows,
            alpha_N=posterior.alpha_N,
            at=posterior.at,
            kept_K=scale.kept_K,
            mean_K=scale.mean_K,
            std_K=scale.std_K,
        )
        return ceilings(mean, options, high_BK, self.targets.scores if self.unit == "score" else np.positive)

    @property
    def posterior(self) -> Posterior:
        """The posterior on the scale of the targets.

        Raises:
            RuntimeError: called before ``fit``.
        """
        if self._posterior is None:
            raise RuntimeError("the predictor 'gp' has no scores yet; call fit before predict")
        return self._posterior

    def _left_out(self) -> tuple[Values, Values]:
        """What left-out targets differ from their predictions by, and its standard deviation, noise included."""
        posterior = self.posterior
        rows, t_N, count = posterior.rows, posterior.t_N, len(posterior.t_N)
        if self.intervals == "shared" or not 2 * FOLDS <= count <= REFITTED:
            left_out_N, std_N = posterior.leave_one_out()
            return t_N - left_out_N, std_N
        residual_N, std_N, order_N = np.empty(count), np.empty(count), np.argsort(t_N, kind="stable")
        for fold in range(FOLDS):
            out = order_N[fold::FOLDS]  # good and bad ones in every fold
            known = np.delete(np.arange(count), out)
            at = learn(rows.rows(known), t_N[known], self.length)
            mean_M, std_M = condition(rows.rows(known), t_N[known], at)(rows.rows(out))
            residual_N[out], std_N[out] = t_N[out] - mean_M, np.sqrt(std_M**2 + np.exp(at.noise))
        return residual_N, std_N

    def _raw(self, x_NF: Floats, s_NK: Floats) -> Values:
        return np.concatenate([np.asarray(s_NK, dtype=np.float64), derived(self.layout, x_NF)], axis=1)

    def _hyperparameters(self, everything: Inputs, y_N: Values) -> Hyperparameters:
        size = len(y_N) if self.refit == "always" else milestone(len(y_N))
        rows, y_N = everything.rows(slice(size)), y_N[:size]
        digest = hashlib.sha256(b"".join(a.tobytes() for a in (rows.level_ND, rows.z_NK, y_N))).digest()
        if self._learnt is None or self._learnt[0] != digest:
            kept = spread_rows(y_N, self.learning_rows, best=0.0)
            self._learnt = digest, learn(rows.rows(kept), targets(y_N).t_N[kept], self.length)
        return self._learnt[1]


def milestone(size: int) -> int:
    """The last of 1, 2, 3, ..., each the former times 17/16 rounded up, that is at most ``size``."""
    reached = following = 1
    while following <= size:
        reached, following = following, int(np.ceil(following * GROWTH - 1e-9))
    return reached
