"""The covariance of the Gaussian process: product + additive + pairwise over dimensions, and one on free statistics.

    k = v_prod prod_d p_d + v_add mean_d a_d + v_pair mean_{d<e} a_d a_e + v_stat Matern52(z) + v_lin z z' / K

p_d and a_d are Matern-5/2 in the gap of two levels of an ordinal dimension and exp(-gap / l) of an unordered one, each
with a length scale of its own; ``predictors.parts.geometry`` has the gaps. The additive and pairwise parts are those of
Duvenaud et al. (NIPS 2011), summed exactly by e2 = ((sum a)^2 - sum a^2) / 2. Length scales have log-normal priors that
grow with the number of dimensions (Hvarfner et al., ICML 2024); fitting is maximum a posteriori.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictors.parts.gaussian import squared_distances
from predictors.parts.geometry import Dimensions, Geometry, dimensions
from predictors.protocol import Floats
from spaces.encoding import Layout

Values = NDArray[np.float64]

PARTS = ("product", "additive", "pairwise", "statistics", "linear")
VARIANCES = (0.3, 0.4, 0.3, 0.4, 0.2)
"""Prior medians of the parts' variances; targets have unit variance."""

NOISE = 0.15
"""Prior median of the noise variance."""

WIDTHS = (0.5, 1.0, 0.5, 0.25, 0.5)
"""Prior standard deviations of the logarithms of length scales, of the parts' variances, of the noise variance and of
the warps' exponents, and of the coordinates of places."""

SQRT5 = 5.0**0.5


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Candidates as the kernel sees them.

    Attributes:
        level_ND: the level of each dimension; an unordered one has its code + 1, or 0 where it is inactive.
        dims: the kinds of the dimensions.
        z_NK: standardised statistics.
    """

    level_ND: Values
    dims: Dimensions
    z_NK: Values

    def __len__(self) -> int:
        return len(self.level_ND)

    def rows(self, index: NDArray[np.intp] | slice) -> "Inputs":
        return Inputs(level_ND=self.level_ND[index], dims=self.dims, z_NK=self.z_NK[index])


def inputs(layout: Layout, x_NF: Floats, z_NK: Values) -> Inputs:
    """Collapse the columns of each dimension into one level."""
    level_ND = np.zeros((len(x_NF), len(layout.groups)))
    for column, group in enumerate(layout.groups):
        if group.ordinal:
            level_ND[:, column] = x_NF[:, group.start]
        else:
            hot_NW = x_NF[:, group.start : group.stop]
            level_ND[:, column] = np.where(hot_NW.any(axis=1), hot_NW.argmax(axis=1) + 1, 0)
    return Inputs(level_ND=level_ND, dims=dimensions(layout), z_NK=z_NK)


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Natural logarithms of length scales, of the parts' variances (order of ``PARTS``) and of the noise variance; and
    the geometry of the dimensions."""

    product_D: Values
    additive_D: Values
    statistics_K: Values
    variances_5: Values
    noise: float
    geometry: Geometry

    def vector(self) -> Values:
        geometry = self.geometry.warp_2D.ravel(), self.geometry.places_V
        return np.concatenate(
            [self.product_D, self.additive_D, self.statistics_K, self.variances_5, [self.noise], *geometry]
        )

    def like(self, vector: Values) -> "Hyperparameters":
        """The hyperparameters whose ``vector()`` this is."""
        count, statistics = len(self.product_D), len(self.statistics_K)
        product_D, additive_D, statistics_K, variances_5, noise_1, warp_E, places_V = np.split(
            vector, np.cumsum([count, count, statistics, len(PARTS), 1, 2 * count])
        )
        return Hyperparameters(
            product_D=product_D,
            additive_D=additive_D,
            statistics_K=statistics_K,
            variances_5=variances_5,
            noise=float(noise_1[0]),
            geometry=Geometry(warp_2D=warp_E.reshape(2, count), places_V=places_V),
        )


def prior(dims: Dimensions, statistics: int, length: float = 1.0) -> tuple[Hyperparameters, Values]:
    """Means of the priors, and their standard deviations in the order of ``vector()``.

    ``length`` multiplies the prior medians of the dimensions' length scales.
    """
    count = max(len(dims), 1)
    scale_D = np.where(dims.ordinal_D, 0.5 * np.sqrt(count), 0.7 * count)
    mean = Hyperparameters(
        product_D=np.log(length * scale_D),
        additive_D=np.full(len(dims), np.log(length)),
        statistics_K=np.full(statistics, np.log(2.0 * np.sqrt(max(statistics, 1)))),
        variances_5=np.log(VARIANCES),
        noise=float(np.log(NOISE)),
        geometry=Geometry.flat(dims),
    )
    lengths = 2 * len(dims) + statistics
    return mean, np.repeat(WIDTHS, (lengths, len(PARTS), 1, 2 * len(dims), len(mean.geometry.places_V)))


def matern52(distance: Values) -> Values:
    """Matern-5/2 of scaled distances."""
    scaled = SQRT5 * distance
    result: Values = scaled**2
    result /= 3.0
    result += 1.0 + scaled
    result *= np.exp(np.negative(scaled, out=scaled), out=scaled)
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

    A dimension has few levels: correlations and their derivatives are computed once a pair of levels, and looked up.
    Memory grows as (3 D + K) P doubles: 40 dimensions and 40 statistics of 300 rows take 61 MB at the peak.
    """

    def __init__(self, rows: Inputs) -> None:
        self.size, self.dims = len(rows), rows.dims
        self.upper = np.triu_indices(self.size, 1)
        first, second = self.upper
        self.levels: list[Values] = []
        self.cell_DP = np.empty((len(rows.dims), len(first)), dtype=np.intp)
        for d in range(len(rows.dims)):
            level_L, code_N = np.unique(rows.level_ND[:, d], return_inverse=True)
            self.levels.append(level_L)
            self.cell_DP[d] = code_N[first] * len(level_L) + code_N[second]
        self.square_PK = (rows.z_NK[first] - rows.z_NK[second]) ** 2
        statistics = max(rows.z_NK.shape[1], 1)
        self.linear_NN = rows.z_NK @ rows.z_NK.T / statistics

    def covariance(self, at: Hyperparameters) -> tuple[Values, Backward]:
        """The covariance of the rows without noise, (N, N), and what carries a gradient back to ``at``."""
        variances, count = np.exp(at.variances_5), len(self.dims)
        gaps = [at.geometry.gaps(self.dims, d, level_L, level_L) for d, level_L in enumerate(self.levels)]
        product_P, a_DP = np.ones(len(self.upper[0])), np.empty(self.cell_DP.shape)
        for d, gap_LL in enumerate(gaps):
            correlation_LL = _factor(gap_LL, at.additive_D[d], self.dims.ordinal_D[d])
            product_LL = _factor(gap_LL, at.product_D[d], self.dims.ordinal_D[d])
            product_P *= np.take(product_LL, self.cell_DP[d], out=a_DP[d], mode="clip")
            np.take(correlation_LL, self.cell_DP[d], out=a_DP[d], mode="clip")
        sum_P = a_DP.sum(axis=0)
        r_P = np.sqrt(self.square_PK @ np.exp(-2.0 * at.statistics_K))
        parts_5P = np.stack(
            [
                product_P,
                sum_P / max(count, 1),
                (sum_P**2 - (a_DP**2).sum(axis=0)) / max(count * (count - 1), 1),
                matern52(r_P),
                self.linear_NN[self.upper],
            ]
        )
        diagonal_5N = self_covariance(count, np.diag(self.linear_NN))
        covariance_NN = np.zeros((self.size, self.size))
        covariance_NN[self.upper] = variances @ parts_5P
        covariance_NN += covariance_NN.T
        covariance_NN[np.diag_indices(self.size)] = variances @ diagonal_5N

        def backward(gradient_NN: Values) -> Hyperparameters:
            g_P, g_N = 2.0 * gradient_NN[self.upper], np.diag(gradient_NN)
            by_log_product_P = g_P * variances[0] * product_P
            product_D, additive_D = np.zeros(count), np.zeros(count)
            geometry = Geometry(warp_2D=np.zeros((2, count)), places_V=np.zeros_like(at.geometry.places_V))
            for d, gap_LL in enumerate(gaps):
                ordinal = bool(self.dims.ordinal_D[d])
                pair_P = (sum_P - a_DP[d]) * (2.0 * variances[2] / max(count * (count - 1), 1))
                by_log_a_P = g_P * a_DP[d] * (pair_P + variances[1] / max(count, 1))
                # minus the gradient by the gap, from either use of the dimension
                by_product_LL = self._summed(d, by_log_product_P) * _steepness(gap_LL, at.product_D[d], ordinal)
                by_additive_LL = self._summed(d, by_log_a_P) * _steepness(gap_LL, at.additive_D[d], ordinal)
                product_D[d], additive_D[d] = (by_product_LL * gap_LL).sum(), (by_additive_LL * gap_LL).sum()
                at.geometry.backward(self.dims, d, self.levels[d], -by_product_LL - by_additive_LL, geometry)
            statistics_P = g_P * variances[3] * matern52_slope(r_P)
            return Hyperparameters(
                product_D=product_D,
                additive_D=additive_D,
                statistics_K=(statistics_P @ self.square_PK) * np.exp(-2.0 * at.statistics_K),
                variances_5=variances * (parts_5P @ g_P + diagonal_5N @ g_N),
                noise=0.0,
                geometry=geometry,
            )

        return covariance_NN, backward

    def _summed(self, d: int, value_P: Values) -> Values:
        """Sums over the pairs that have the same two levels of a dimension, shape (L, L)."""
        count = len(self.levels[d])
        sums_LL: Values = np.bincount(self.cell_DP[d], value_P, count * count).astype(float).reshape(count, count)
        return sums_LL


def self_covariance(dimensions: int, square_N: Values) -> Values:
    """Each part's covariance of a row with itself, at unit variance, shape (5, N); ``square_N`` is z z' / K."""
    one_N = np.ones_like(square_N)
    return np.stack([one_N, one_N * (dimensions > 0), one_N * (dimensions > 1), one_N, square_N])


BLOCK = 64
"""Rows of a covariance that are made at a time: what is looked up for them stays in the processor's cache."""


def cross_covariance(new: Inputs, old: Inputs, at: Hyperparameters) -> tuple[Values, Values]:
    """Covariances of M new rows with N old ones, (M, N), and of each new row with itself, (M,)."""
    count, statistics = len(new.dims), max(new.z_NK.shape[1], 1)
    variances = np.exp(at.variances_5)
    tables = [_looked_up(new, old, at, d) for d in range(count)]
    new_z, old_z = new.z_NK * np.exp(-at.statistics_K), old.z_NK * np.exp(-at.statistics_K)
    statistics_MN = squared_distances(new_z, old_z)
    linear_MN = new.z_NK @ old.z_NK.T
    covariance_MN = np.empty((len(new), len(old)))
    for start in range(0, len(new), BLOCK):
        block = slice(start, start + BLOCK)
        product_BN, linear_BN = covariance_MN[block], linear_MN[block]
        product_BN[:] = 1.0
        sum_BN, square_BN, a_BN = np.zeros_like(product_BN), np.zeros_like(product_BN), np.empty_like(product_BN)
        for which_M, product_LN, a_LN in tables:
            product_BN *= np.take(product_LN, which_M[block], axis=0, out=a_BN, mode="clip")
            sum_BN += np.take(a_LN, which_M[block], axis=0, out=a_BN, mode="clip")
            square_BN += np.square(a_BN, out=a_BN)
        product_BN *= variances[0]
        product_BN += np.multiply(sum_BN, variances[1] / max(count, 1), out=a_BN)
        np.square(sum_BN, out=sum_BN)
        sum_BN -= square_BN
        sum_BN *= variances[2] / max(count * (count - 1), 1)
        product_BN += sum_BN
        similar_BN = matern52(np.sqrt(statistics_MN[block]))
        similar_BN *= variances[3]
        product_BN += similar_BN
        linear_BN *= variances[4] / statistics
        product_BN += linear_BN
    return covariance_MN, variances @ self_covariance(count, (new.z_NK**2).sum(1) / statistics)


def _looked_up(new: Inputs, old: Inputs, at: Hyperparameters, d: int) -> tuple[NDArray[np.intp], Values, Values]:
    """Which level each new row has in a dimension, and the two correlations of these levels with the old rows.

    Few levels occur in a dimension: a correlation is computed once a level and looked up.
    """
    level_L, which_M = np.unique(new.level_ND[:, d], return_inverse=True)
    gap_LN, ordinal = at.geometry.gaps(new.dims, d, level_L, old.level_ND[:, d]), bool(new.dims.ordinal_D[d])
    return which_M, _factor(gap_LN, at.product_D[d], ordinal), _factor(gap_LN, at.additive_D[d], ordinal)


def correlation(dims: Dimensions, d: int, level_L: Values, other_M: Values, at: Hyperparameters) -> Values:
    """Correlations between levels of one dimension in the additive and pairwise parts, shape (L, M)."""
    return _factor(at.geometry.gaps(dims, d, level_L, other_M), at.additive_D[d], bool(dims.ordinal_D[d]))


def _factor(gap_LM: Values, log_length: float, ordinal: bool) -> Values:
    scaled_LM = gap_LM * np.exp(-log_length)
    return matern52(scaled_LM) if ordinal else np.exp(-scaled_LM)


def _steepness(gap_LM: Values, log_length: float, ordinal: bool) -> Values:
    """Minus the derivative of the logarithm of ``_factor`` by the gap."""
    if not ordinal:
        return np.full_like(gap_LM, np.exp(-log_length))
    scaled_LM = SQRT5 * gap_LM * np.exp(-log_length)
    ratio_LM = (1.0 + scaled_LM) * scaled_LM / (3.0 + 3.0 * scaled_LM + scaled_LM**2)
    steep_LM: Values = SQRT5 * np.exp(-log_length) * ratio_LM
    return steep_LM
