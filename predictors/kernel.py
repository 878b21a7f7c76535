"""The covariance of the Gaussian process: product + additive + pairwise over dimensions, and one on free statistics.

    k = v_prod prod_d p_d + v_add mean_d a_d + v_pair mean_{d<e} a_d a_e + v_stat Matern52(z) + v_lin z z' / K

p_d and a_d are Matern-5/2 in the level of an ordinal dimension and exp(-[differs] / l) (weighted Hamming) of an
unordered one, each with a length scale of its own. The additive and pairwise parts are those of Duvenaud et al. (NIPS
2011), summed exactly by e2 = ((sum a)^2 - sum a^2) / 2. Length scales have log-normal priors that grow with the number
of dimensions (Hvarfner et al., ICML 2024); fitting is maximum a posteriori.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Floats
from spaces.encoding import Layout

Values = NDArray[np.float64]

PARTS = ("product", "additive", "pairwise", "statistics", "linear")
VARIANCES = (0.3, 0.4, 0.3, 0.4, 0.2)
"""Prior medians of the parts' variances; targets have unit variance."""

NOISE = 0.15
"""Prior median of the noise variance."""

WIDTHS = (0.5, 1.0, 0.5)
"""Prior standard deviations of the logarithms of length scales, of the parts' variances, and of the noise variance."""

SQRT5 = 5.0**0.5


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Candidates as the kernel sees them.

    Attributes:
        level_ND: the level of each dimension; an unordered one has its code + 1, or 0 where it is inactive.
        ordinal_D: which dimensions are ordinal.
        z_NK: standardised statistics.
    """

    level_ND: Values
    ordinal_D: NDArray[np.bool_]
    z_NK: Values

    def __len__(self) -> int:
        return len(self.level_ND)

    def rows(self, index: NDArray[np.intp] | slice) -> "Inputs":
        return Inputs(level_ND=self.level_ND[index], ordinal_D=self.ordinal_D, z_NK=self.z_NK[index])


def inputs(layout: Layout, x_NF: Floats, z_NK: Values) -> Inputs:
    """Collapse the columns of each dimension into one level."""
    level_ND = np.zeros((len(x_NF), len(layout.groups)))
    for column, group in enumerate(layout.groups):
        if group.ordinal:
            level_ND[:, column] = x_NF[:, group.start]
        else:
            hot_NW = x_NF[:, group.start : group.stop]
            level_ND[:, column] = np.where(hot_NW.any(axis=1), hot_NW.argmax(axis=1) + 1, 0)
    return Inputs(level_ND=level_ND, ordinal_D=np.array([group.ordinal for group in layout.groups], bool), z_NK=z_NK)


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Natural logarithms of length scales, of the parts' variances (order of ``PARTS``) and of the noise variance."""

    product_D: Values
    additive_D: Values
    statistics_K: Values
    variances_5: Values
    noise: float

    def vector(self) -> Values:
        return np.concatenate([self.product_D, self.additive_D, self.statistics_K, self.variances_5, [self.noise]])

    def like(self, vector: Values) -> "Hyperparameters":
        """The hyperparameters whose ``vector()`` this is."""
        dimensions, statistics = len(self.product_D), len(self.statistics_K)
        product_D, additive_D, statistics_K, variances_5, noise_1 = np.split(
            vector, np.cumsum([dimensions, dimensions, statistics, len(PARTS)])
        )
        return Hyperparameters(
            product_D=product_D,
            additive_D=additive_D,
            statistics_K=statistics_K,
            variances_5=variances_5,
            noise=float(noise_1[0]),
        )


def prior(ordinal_D: NDArray[np.bool_], statistics: int, length: float = 1.0) -> tuple[Hyperparameters, Values]:
    """Means of the log-normal priors, and the standard deviations of the logarithms in the order of ``vector()``.

    ``length`` multiplies the prior medians of the dimensions' length scales.
    """
    dimensions = max(len(ordinal_D), 1)
    scale_D = np.where(ordinal_D, 0.5 * np.sqrt(dimensions), 0.7 * dimensions)
    mean = Hyperparameters(
        product_D=np.log(length * scale_D),
        additive_D=np.full(len(ordinal_D), np.log(length)),
        statistics_K=np.full(statistics, np.log(2.0 * np.sqrt(max(statistics, 1)))),
        variances_5=np.log(VARIANCES),
        noise=float(np.log(NOISE)),
    )
    lengths = 2 * len(ordinal_D) + statistics
    return mean, np.repeat(WIDTHS, (lengths, len(PARTS), 1))


def matern52(distance: Values) -> Values:
    """Matern-5/2 of scaled distances."""
    scaled = SQRT5 * distance
    result: Values = (1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled)
    return result


def matern52_slope(distance: Values) -> Values:
    """Derivative of ``matern52`` by the logarithm of an isotropic length scale, divided by distance squared."""
    scaled = SQRT5 * distance
    result: Values = (5.0 / 3.0) * (1.0 + scaled) * np.exp(-scaled)
    return result


Backward: TypeAlias = Callable[[Values], Hyperparameters]
"""Gradient of a loss by the hyperparameters, given its gradient by the (symmetric) covariance, noise left out."""


class Pairs:
    """All pairs of N training rows, upper triangle (P = N (N - 1) / 2), ready for many evaluations of the kernel.

    Memory grows as 5 (D + K) P doubles: 40 dimensions and 40 statistics of 300 rows take 150 MB at the peak.
    """

    def __init__(self, rows: Inputs) -> None:
        self.size = len(rows)
        self.upper = np.triu_indices(self.size, 1)
        first, second = self.upper
        gap_DP = np.abs(rows.level_ND[first] - rows.level_ND[second]).T
        self.ordinal_D = rows.ordinal_D
        self.gap_DP = np.where(rows.ordinal_D[:, None], gap_DP, gap_DP > 0)
        self.square_PK = (rows.z_NK[first] - rows.z_NK[second]) ** 2
        statistics = max(rows.z_NK.shape[1], 1)
        self.linear_NN = rows.z_NK @ rows.z_NK.T / statistics

    def _factors(self, log_length_D: Values) -> tuple[Values, Values]:
        """Correlation of each dimension and its derivative by the log length scale, both (D, P)."""
        scaled_DP = self.gap_DP * np.exp(-log_length_D)[:, None]
        k_DP, slope_DP = np.empty_like(scaled_DP), np.empty_like(scaled_DP)
        ordered = self.ordinal_D
        k_DP[ordered] = matern52(scaled_DP[ordered])
        slope_DP[ordered] = matern52_slope(scaled_DP[ordered]) * scaled_DP[ordered] ** 2
        k_DP[~ordered] = np.exp(-scaled_DP[~ordered])
        slope_DP[~ordered] = k_DP[~ordered] * scaled_DP[~ordered]
        return k_DP, slope_DP

    def covariance(self, at: Hyperparameters) -> tuple[Values, Backward]:
        """The covariance of the rows without noise, (N, N), and what carries a gradient back to ``at``."""
        variances = np.exp(at.variances_5)
        p_DP, p_slope_DP = self._factors(at.product_D)
        a_DP, a_slope_DP = self._factors(at.additive_D)
        sum_P = a_DP.sum(axis=0)
        dimensions = len(self.gap_DP)
        r_P = np.sqrt(self.square_PK @ np.exp(-2.0 * at.statistics_K))
        parts_5P = np.stack(
            [
                p_DP.prod(axis=0),
                sum_P / max(dimensions, 1),
                (sum_P**2 - (a_DP**2).sum(axis=0)) / max(dimensions * (dimensions - 1), 1),
                matern52(r_P),
                self.linear_NN[self.upper],
            ]
        )
        diagonal_5N = self_covariance(dimensions, np.diag(self.linear_NN))
        covariance_NN = np.zeros((self.size, self.size))
        covariance_NN[self.upper] = variances @ parts_5P
        covariance_NN += covariance_NN.T
        covariance_NN[np.diag_indices(self.size)] = variances @ diagonal_5N

        def backward(gradient_NN: Values) -> Hyperparameters:
            g_P, g_N = 2.0 * gradient_NN[self.upper], np.diag(gradient_NN)
            pair_DP = (sum_P - a_DP) * (2.0 * variances[2] / max(dimensions * (dimensions - 1), 1))
            by_a_DP = pair_DP + variances[1] / max(dimensions, 1)
            p_log_DP = p_slope_DP / np.maximum(p_DP, 1e-300)
            statistics_P = g_P * variances[3] * matern52_slope(r_P)
            return Hyperparameters(
                product_D=p_log_DP @ (g_P * variances[0] * parts_5P[0]),
                additive_D=(by_a_DP * a_slope_DP) @ g_P,
                statistics_K=(statistics_P @ self.square_PK) * np.exp(-2.0 * at.statistics_K),
                variances_5=variances * (parts_5P @ g_P + diagonal_5N @ g_N),
                noise=0.0,
            )

        return covariance_NN, backward


def self_covariance(dimensions: int, square_N: Values) -> Values:
    """Each part's covariance of a row with itself, at unit variance, shape (5, N); ``square_N`` is z z' / K."""
    one_N = np.ones_like(square_N)
    return np.stack([one_N, one_N * (dimensions > 0), one_N * (dimensions > 1), one_N, square_N])


def cross_covariance(new: Inputs, old: Inputs, at: Hyperparameters) -> tuple[Values, Values]:
    """Covariances of M new rows with N old ones, (M, N), and of each new row with itself, (M,)."""
    dimensions = new.level_ND.shape[1]
    product_MN = np.ones((len(new), len(old)))
    sum_MN, square_MN = np.zeros_like(product_MN), np.zeros_like(product_MN)
    for d in range(dimensions):
        # few levels occur in a dimension: the correlation is computed once a level and looked up
        level_L, which_M = np.unique(new.level_ND[:, d], return_inverse=True)
        gap_LN = np.abs(level_L[:, None] - old.level_ND[:, d])
        product_MN *= _factor(gap_LN, at.product_D[d], new.ordinal_D[d])[which_M]
        a_MN = _factor(gap_LN, at.additive_D[d], new.ordinal_D[d])[which_M]
        sum_MN += a_MN
        square_MN += np.square(a_MN, out=a_MN)
    variances = np.exp(at.variances_5)
    statistics = max(new.z_NK.shape[1], 1)
    new_z, old_z = new.z_NK * np.exp(-at.statistics_K), old.z_NK * np.exp(-at.statistics_K)
    square_distance_MN = (new_z**2).sum(1)[:, None] + (old_z**2).sum(1) - 2.0 * new_z @ old_z.T
    covariance_MN = variances[0] * product_MN
    covariance_MN += (variances[1] / max(dimensions, 1)) * sum_MN
    covariance_MN += (variances[2] / max(dimensions * (dimensions - 1), 1)) * (sum_MN**2 - square_MN)
    covariance_MN += variances[3] * matern52(np.sqrt(np.maximum(square_distance_MN, 0.0)))
    covariance_MN += (variances[4] / statistics) * (new.z_NK @ old.z_NK.T)
    return covariance_MN, variances @ self_covariance(dimensions, (new.z_NK**2).sum(1) / statistics)


def correlation(level_L: Values, other_M: Values, log_length: float, ordinal: bool) -> Values:
    """Correlations between levels of one dimension, shape (L, M)."""
    return _factor(np.abs(level_L[:, None] - other_M), log_length, ordinal)


def _factor(gap_LN: Values, log_length: float, ordinal: bool) -> Values:
    if ordinal:
        return matern52(gap_LN * np.exp(-log_length))
    result: Values = np.where(gap_LN > 0, np.exp(-np.exp(-log_length)), 1.0)
    return result
