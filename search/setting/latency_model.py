"""Latency predicted: a Gaussian process over counts and choices, fitted to what was measured."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from predictors.parts.gaussian import factorise, negative_log_likelihood, solve, squared_distances
from spaces.encoding import encode, layout
from spaces.space import Codes, Space
from trainables.counting.counts import Counts

Floats = NDArray[np.float64]
CHUNK = 8_192
FIXED = 6
"""Hyperparameters besides the length scales: logarithms of five variances (constant, linear, stages, joint, noise)
and of the joint scale."""
START = np.array([-2.0, -2.0, -3.0, -5.0, -6.0, -2.0])


@dataclass(frozen=True, kw_only=True)
class LatencyModel:
    """Predicted latency of candidates of a space: additive over its stages, plus a learned correction.

    A Gaussian process on latency over its mean, whose kernel is a sum of

    * a linear one on exact counts (macs in all and per stage, params, activations, depth),
    * one per stage: what this stage costs as a smooth function of its own choices and those of no stage (resolution,
      activation, ...), which is a lookup table of blocks that shares what similar blocks have in common,
    * one on all choices together: the correction for what is not additive.

    Noise is proportional to latency. Variances and length scales (one per keyword) maximise the marginal likelihood.

    Attributes:
        space: the space of the codes.
        mean_ms: mean of the latencies it was fitted to.
        theta: logarithms of the kernel's hyperparameters.
    """

    space: Space
    mean_ms: float
    theta: Floats
    _x_MF: Floats
    _l_MK: Floats
    _weights_M: Floats
    _scale_2K: Floats

    @classmethod
    def fit(
        cls,
        space: Space,
        codes_ND: Codes,
        counts: Counts,
        latency_ms_N: NDArray[Any],
        theta: Floats | None = None,
    ) -> Self:
        """Fit to measured latencies; 50 to 200 are enough.

        Args:
            space: the space of the codes.
            codes_ND: the measured candidates.
            counts: their statistics.
            latency_ms_N: their latencies, milliseconds.
            theta: hyperparameters of an earlier fit to the same rows; learnt if not given.

        Raises:
            ValueError: fewer than eight rows, lengths that disagree, a latency that is not positive and finite, or as
                many hyperparameters as the space does not have.
        """
        y_N = np.asarray(latency_ms_N, dtype=np.float64)
        if not len(codes_ND) == len(counts) == len(y_N) or len(y_N) < 8:
            raise ValueError(
                f"a latency model needs at least eight rows, as many codes as counts and latencies, "
                f"given {len(codes_ND)}, {len(counts)} and {len(y_N)}"
            )
        if not (np.isfinite(y_N).all() and (y_N > 0).all()):
            raise ValueError("latencies are positive, finite milliseconds; leave failed measurements out")
        mean = float(y_N.mean())
        x_NF, groups = _columns(space, codes_ND)
        raw_NK = _linear_terms(counts)
        scale_2K = np.stack([raw_NK.mean(axis=0), np.maximum(raw_NK.std(axis=0), 1e-12)])
        l_NK = (raw_NK - scale_2K[0]) / scale_2K[1]
        if theta is None:
            theta = _maximise_likelihood(x_NF, l_NK, y_N / mean, groups)
        elif len(theta) != groups.hyperparameters:
            raise ValueError(f"theta has {len(theta)} values; a model of '{space.name}' has {groups.hyperparameters}")
        factor_NN = factorise(_covariance(x_NF, l_NK, y_N / mean, groups, theta))
        weights_N = solve(factor_NN, y_N / mean - 1.0)
        return cls(
            space=space,
            mean_ms=mean,
            theta=theta,
            _x_MF=x_NF,
            _l_MK=l_NK,
            _weights_M=weights_N,
            _scale_2K=scale_2K,
        )

    def predict(self, codes_ND: Codes, counts: Counts) -> Floats:
        """Latency of candidates, milliseconds, shape (N,); never below a hundredth of the fitted mean."""
        l_NK = (_linear_terms(counts) - self._scale_2K[0]) / self._scale_2K[1]
        relative_N = np.ones(len(codes_ND))
        for start in range(0, len(codes_ND), CHUNK):
            rows = slice(start, start + CHUNK)
            x_NF, groups = _columns(self.space, codes_ND[rows])
            k_NM = _kernel(x_NF, self._x_MF, l_NK[rows], self._l_MK, groups, self.theta)
            relative_N[rows] += k_NM @ self._weights_M
        return self.mean_ms * np.maximum(relative_N, 0.01)


def held_out_error(space: Space, codes_ND: Codes, counts: Counts, latency_ms_N: NDArray[Any], folds: int = 4) -> float:
    """Median of |predicted - measured| / measured by cross-validation; hyperparameters are learnt without the held-out.

    Args:
        space: the space of the codes.
        codes_ND: the measured candidates.
        counts: their statistics.
        latency_ms_N: their latencies, milliseconds.
        folds: parts that are held out in turn; row i belongs to part i modulo ``folds``.

    Raises:
        ValueError: a part leaves fewer than eight rows to fit.
    """
    y_N = np.asarray(latency_ms_N, dtype=np.float64)
    error_N = np.empty(len(y_N))
    for fold in range(folds):
        out_N = np.arange(len(y_N)) % folds == fold
        model = LatencyModel.fit(space, codes_ND[~out_N], counts.take(~out_N), y_N[~out_N])
        error_N[out_N] = np.abs(model.predict(codes_ND[out_N], counts.take(out_N)) / y_N[out_N] - 1.0)
    return float(np.median(error_N))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """Which columns of x belong to which stage (with those of no stage added), and to which keyword."""

    stages: tuple[NDArray[np.intp], ...]
    keyword_F: NDArray[np.intp]

    @property
    def hyperparameters(self) -> int:
        return FIXED + int(self.keyword_F.max(initial=-1)) + 1


def _columns(space: Space, codes_ND: Codes) -> tuple[Floats, _Groups]:
    """Encoded architecture columns, and their groups."""
    whole = layout(space)
    columns_F = whole.of_role("architecture")
    keywords: dict[str, int] = {}
    stage_of, keyword_of = [], []
    for group in whole.groups:
        if not group.address.startswith("architecture."):
            continue
        name, _, item = group.address.removeprefix("architecture.").rpartition(".")
        stage = f"{name.rpartition('.')[0]}.{item}" if item.isdigit() else None
        keyword = name if item.isdigit() else group.address
        for _ in range(group.start, group.stop):
            stage_of.append(stage)
            keyword_of.append(keywords.setdefault(keyword, len(keywords)))
    stages = tuple(
        np.array([column for column, other in enumerate(stage_of) if other in (stage, None)], dtype=np.intp)
        for stage in dict.fromkeys(stage for stage in stage_of if stage is not None)
    )
    x_NF = encode(space, codes_ND)[:, columns_F].astype(np.float64)
    return x_NF, _Groups(stages=stages, keyword_F=np.array(keyword_of, dtype=np.intp))


def _linear_terms(counts: Counts) -> Floats:
    shares = [counts.macs_N * feature for name, feature in counts.features.items() if name.startswith("macs_share.")]
    others = [feature for name, feature in counts.features.items() if not name.startswith("macs_share.")]
    sizes = [counts.macs_N, counts.params_N, counts.activations_N]
    return np.stack([*sizes, *shares, *others], axis=1).astype(np.float64)


def _kernel(a_NF: Floats, b_MF: Floats, la_NK: Floats, lb_MK: Floats, groups: _Groups, theta: Floats) -> Floats:
    constant, linear, stage, joint, _, joint_scale = np.exp(theta[:FIXED])
    scale_F = np.exp(theta[FIXED:])[groups.keyword_F]
    a_NF, b_MF = a_NF * scale_F, b_MF * scale_F
    k_NM: Floats = constant + linear / la_NK.shape[1] * (la_NK @ lb_MK.T)
    for columns in groups.stages:
        k_NM = k_NM + stage * np.exp(-squared_distances(a_NF[:, columns], b_MF[:, columns]))
    joined: Floats = k_NM + joint * np.exp(-joint_scale * squared_distances(a_NF, b_MF))
    return joined


def _covariance(x_NF: Floats, l_NK: Floats, y_N: Floats, groups: _Groups, theta: Floats) -> Floats:
    k_NN = _kernel(x_NF, x_NF, l_NK, l_NK, groups, theta)
    k_NN[np.diag_indices_from(k_NN)] += np.exp(theta[4]) * y_N**2 + 1e-8
    return k_NN


def _maximise_likelihood(x_NF: Floats, l_NK: Floats, y_N: Floats, groups: _Groups) -> Floats:
    """Hyperparameters of greatest marginal likelihood, with a weak pull towards ``START`` and length scales of 2."""
    start = np.concatenate([START, np.full(groups.hyperparameters - FIXED, -0.7)])

    def loss(theta: Floats) -> float:
        factor_NN = factorise(_covariance(x_NF, l_NK, y_N, groups, theta))
        alpha_N = solve(factor_NN, y_N - 1.0)
        return negative_log_likelihood(factor_NN, y_N - 1.0, alpha_N) + 0.02 * float(((theta - start) ** 2).sum())

    bounds = [(-10.0, 4.0)] * len(start)
    theta: Floats = optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}).x
    return theta
