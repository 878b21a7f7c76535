"""What no candidate can exceed: a proven upper bound of a Gaussian process's mean over a whole space.

The mean is sum_i alpha_i k(x, x_i), and each part of k (``parts.kernel``) is bounded from above by a constant plus
a table over the choices of every dimension, so that the largest sum is found choice by choice:

* additive: a sum of tables, exactly.
* pairwise: a quadratic form of features z_d with z_d(c) . z_d(c') = a_d(c, c'). Around a centre m its linear terms are
  tables; what is left, y' M y with y = z - m, is at most lambda sum_d |y_d|^2 / s_d^2, where lambda is the largest
  eigenvalue of the form in units of s_d = max |y_d|. Any centre gives a bound; the best of several is taken.
* linear: exact tables where a statistic is a sum over dimensions (``parts.derived``), the end of its range where
  it is given by the caller.
* product and statistics: |f(x)| <= ||f|| sqrt(k(x, x)) (Cauchy-Schwarz in the reproducing kernel Hilbert space), with
  ||f||^2 = v alpha' K alpha. Unlike the sum of |alpha_i| it knows that terms of opposite sign cancel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from predictors.parts.derived import derived
from predictors.parts.kernel import PARTS, Hyperparameters, Inputs, correlation, cross_covariance
from predictors.protocol import Floats
from spaces.encoding import Group, Layout

Values = NDArray[np.float64]

CLIP = 4.0
"""Standardised statistics are clipped here (``predictors.parts.scaler``)."""

SLACK = 1e-7
"""Added, relative to the size of the terms, for rounding."""

CENTRES = (0.0, 0.5, 1.0)
"""Centres of the quadratic form, from the mean of the training rows (0) towards the choices that are best so far."""


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """No candidate with choice v_d in dimension d is predicted above ``scores(constant_B[b] + sum_d tables[d][v_d])``.

    Attributes:
        constant_B: one for each box of statistics that was asked for.
        tables: one value for each choice of each dimension.
        scores: to the unit of predictions; increasing.
    """

    constant_B: Values
    tables: tuple[Values, ...]
    scores: Callable[[Values], Values]


@runtime_checkable
class Bounded(Protocol):
    """A predictor that can prove what no candidate exceeds."""

    def ceilings(self, options: Sequence[Floats], high_BK: Floats) -> Sequence[Ceiling]:
        """Bounds of the predicted mean; each of them holds, so the smallest maximum counts.

        Args:
            options: of each dimension of the layout, the columns of every choice that a candidate may make, shape
                (V_d, width of the dimension).
            high_BK: the largest value of every statistic, for B boxes of candidates; infinite where it is not known.
        """


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The mean to bound: weights of training rows, hyperparameters, and how statistics are standardised.

    Attributes:
        column_K, mean_K, std_K: which raw columns (statistics, then derived ones) are used, and their scale.
    """

    layout: Layout
    rows: Inputs
    alpha_N: Values
    at: Hyperparameters
    column_K: NDArray[np.intp]
    mean_K: Values
    std_K: Values


def ceilings(of: Mean, options: Sequence[Floats], high_BK: Floats, scores: Callable[[Values], Values]) -> list[Ceiling]:
    """Bounds of a Gaussian process's mean; arguments as in ``Bounded.ceilings``."""
    levels = [_levels(group, option) for group, option in zip(of.layout.groups, options, strict=True)]
    constant_B, tables = _linear(of, options, np.asarray(high_BK, dtype=np.float64))
    constant_B = constant_B + _norm(of, "product") + _norm(of, "statistics")
    additive = [_additive(of, d, level) for d, level in enumerate(levels)]
    tables = [table + more for table, more in zip(tables, additive, strict=True)]
    pairs = _Pairwise(of, levels)
    best = [np.zeros_like(table) for table in tables]
    bounds: list[Ceiling] = []
    for share in CENTRES:
        constant, quadratic = pairs.around(share, [int(np.argmax(table)) for table in best])
        best = [table + more for table, more in zip(tables, quadratic, strict=True)]
        size = np.abs(constant_B).max() + abs(constant) + sum(float(np.abs(table).max(initial=0.0)) for table in best)
        bounds.append(Ceiling(constant_B=constant_B + constant + SLACK * size, tables=tuple(best), scores=scores))
    return bounds


def _levels(group: Group, option_VW: Floats) -> Values:
    """The levels of choices, as in ``predictors.parts.kernel.inputs``."""
    if group.ordinal:
        return np.asarray(option_VW[:, 0], dtype=np.float64)
    return np.where(option_VW.any(axis=1), option_VW.argmax(axis=1) + 1.0, 0.0)


def _additive(of: Mean, d: int, level_V: Values) -> Values:
    a_VN = correlation(of.rows.dims, d, level_V, of.rows.level_ND[:, d], of.at)
    table_V: Values = np.exp(of.at.variances_5[PARTS.index("additive")]) / len(of.layout.groups) * (a_VN @ of.alpha_N)
    return table_V


def _norm(of: Mean, part: str) -> float:
    """The largest value of a stationary part: its norm times the root of its variance."""
    variances_5 = np.where(np.array(PARTS) == part, of.at.variances_5, -np.inf)
    part_NN, _ = cross_covariance(of.rows, of.rows, replace(of.at, variances_5=variances_5))
    variance = float(np.exp(np.max(variances_5)))
    square = float(of.alpha_N @ part_NN @ of.alpha_N)
    return float(np.sqrt(variance * max(square, 0.0)))


def _linear(of: Mean, options: Sequence[Floats], high_BK: Values) -> tuple[Values, list[Values]]:
    """Constants and tables of the part that is linear in the standardised, clipped statistics."""
    statistics = high_BK.shape[1]
    variance = float(np.exp(of.at.variances_5[PARTS.index("linear")]))
    weight_K = variance / max(len(of.column_K), 1) * (of.alpha_N @ of.rows.z_NK)
    own = of.column_K < statistics
    high_BK = np.clip((high_BK[:, of.column_K[own]] - of.mean_K[own]) / of.std_K[own], -CLIP, CLIP)
    constant_B = np.where(weight_K[own] > 0, weight_K[own] * high_BK, -CLIP * weight_K[own]).sum(axis=1)
    tables = [np.zeros(len(option)) for option in options]
    # a derived column is a sum over dimensions: what each choice adds is found by setting it alone
    shares = [_derived_alone(of.layout, group, option) for group, option in zip(of.layout.groups, options, strict=True)]
    for weight, column, mean, std in zip(
        weight_K[~own], of.column_K[~own] - statistics, of.mean_K[~own], of.std_K[~own], strict=True
    ):
        share = [share_VC[:, column] / std for share_VC in shares]
        low = sum(float(s.min()) for s in share) - mean / std
        high = sum(float(s.max()) for s in share) - mean / std
        slope, level = _over_clip(low, high) if weight > 0 else _under_clip(low, high)
        constant_B = constant_B + weight * (level - slope * mean / std)
        tables = [table + weight * slope * s for table, s in zip(tables, share, strict=True)]
    return constant_B, tables


def _derived_alone(layout: Layout, group: Group, option_VW: Floats) -> Values:
    x_VF = np.zeros((len(option_VW), layout.width))
    x_VF[:, group.start : group.stop] = option_VW
    return derived(layout, x_VF)


def _over_clip(low: float, high: float) -> tuple[float, float]:
    """(slope, level) of a line that is nowhere below the clipped identity on [low, high]."""
    if high <= -CLIP or low >= CLIP:
        return 0.0, float(np.sign(low)) * CLIP
    if low >= -CLIP:
        return 1.0, 0.0
    top = min(high, CLIP)
    slope = (top + CLIP) / (top - low)
    return slope, -CLIP - slope * low


def _under_clip(low: float, high: float) -> tuple[float, float]:
    slope, level = _over_clip(-high, -low)
    return slope, -level


class _Pairwise:
    """The pairwise part as a quadratic form in features of the dimensions' choices."""

    def __init__(self, of: Mean, levels: Sequence[Values]) -> None:
        self.features: list[Values] = []
        mean, training = [], []
        for d, level_V in enumerate(levels):
            known_L, place = np.unique(np.concatenate([level_V, of.rows.level_ND[:, d]]), return_inverse=True)
            a_LL = correlation(of.rows.dims, d, known_L, known_L, of.at)
            root_L, basis_LL = np.linalg.eigh(a_LL)
            z_LR = basis_LL * np.sqrt(np.maximum(root_L, 0.0))
            self.features.append(z_LR[place[: len(level_V)]])
            training.append(z_LR[place[len(level_V) :]])
            mean.append(training[-1].mean(axis=0))
        ends = np.cumsum([len(m) for m in mean]).tolist()
        self.blocks = [slice(end - len(m), end) for end, m in zip(ends, mean, strict=True)]
        self.mean_F = np.concatenate([np.zeros(0), *mean])
        z_NF = np.concatenate([np.zeros((len(of.rows), 0)), *training], axis=1)
        pairs = len(levels) * (len(levels) - 1)
        variance = float(np.exp(of.at.variances_5[PARTS.index("pairwise")]))
        self.form_FF = variance / max(pairs, 1) * (z_NF.T @ (of.alpha_N[:, None] * z_NF))
        for block in self.blocks:
            self.form_FF[block, block] = 0.0

    def around(self, share: float, chosen: Sequence[int]) -> tuple[float, list[Values]]:
        """Constant and tables of the bound around a centre, ``share`` of the way from the mean to chosen choices."""
        if not self.blocks:
            return 0.0, []
        towards_F = np.concatenate([z_VR[v] for z_VR, v in zip(self.features, chosen, strict=True)])
        centre_F = (1 - share) * self.mean_F + share * towards_F
        away = [z_VR - centre_F[block] for z_VR, block in zip(self.features, self.blocks, strict=True)]
        square = [(y_VR**2).sum(axis=1) for y_VR in away]
        size = [max(float(np.sqrt(s.max())), 1e-9) for s in square]
        scale_F = np.concatenate([np.full(y_VR.shape[1], s) for y_VR, s in zip(away, size, strict=True)])
        largest = float(np.linalg.eigvalsh(self.form_FF * scale_F[:, None] * scale_F)[-1])
        slope_F = 2.0 * self.form_FF @ centre_F
        tables = [
            y_VR @ slope_F[block] + max(largest, 0.0) * s / width**2
            for y_VR, s, width, block in zip(away, square, size, self.blocks, strict=True)
        ]
        return float(centre_F @ self.form_FF @ centre_F), tables
