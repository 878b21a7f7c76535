"""The covariance of the Gaussian process: product + additive + pairwise over dimensions, and one on free statistics.

    k = v_prod prod_d p_d + v_add mean_d a_d + v_pair mean_{d<e} a_d a_e + v_stat Matern52(z) + v_lin z z' / K

p_d and a_d are Matern-5/2 in the gap of two levels of an ordinal dimension and exp(-gap / l) of an unordered one, each
with a length scale of its own; ``predictors.parts.geometry`` has the gaps. The additive and pairwise parts are those of
Duvenaud et al. (NIPS 2011), summed exactly by e2 = ((sum a)^2 - sum a^2) / 2. Length scales have log-normal priors that
grow with the number of dimensions (Hvarfner et al., ICML 2024); fitting is maximum a posteriori.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
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

    def joined(self, other: "Inputs") -> "Inputs":
        """These rows, then others of the same dimensions."""
        return Inputs(
            level_ND=np.concatenate([self.level_ND, other.level_ND]),
            dims=self.dims,
            z_NK=np.concatenate([self.z_NK, other.z_NK]),
        )

    @cached_property
    def levels(self) -> "Levels":
        """The levels that occur."""
        occurring = [np.unique(level_N, return_inverse=True) for level_N in self.level_ND.T]
        return Levels(
            level_DL=[level_L for level_L, _ in occurring],
            code_DN=np.array([code_N for _, code_N in occurring], dtype=np.intp).reshape(-1, len(self)),
        )


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The levels that occur in each dimension, and which of them each row has.

    Attributes:
        level_DL: of each dimension, ascending.
        code_DN: which of them a row has.
    """

    level_DL: list[Values]
    code_DN: NDArray[np.intp]

    def __len__(self) -> int:
        return int(self.code_DN.shape[1])

    @cached_property
    def start_D(self) -> NDArray[np.intp]:
        """Where each dimension's levels begin among those of all, and the number of all: D + 1 values."""
        return np.cumsum([0, *map(len, self.level_DL)])

    @cached_property
    def hot_NS(self) -> Values:
        """One where a row has a level, the levels of all dimensions side by side."""
        hot_NS = np.zeros((len(self), self.start_D[-1]))
        hot_NS[np.arange(len(self))[:, None], (self.start_D[:-1, None] + self.code_DN).T] = 1.0
        return hot_NS

    def sums_by_levels(self, value_CNN: Values) -> Values:
        """Sums of values over the pairs of rows that have the same two levels, shape (C, E) as in ``Tables``."""
        columns_CNS, size = value_CNN @ self.hot_NS, len(value_CNN)
        sums = [
            (self.hot_NS[:, start:stop].T @ columns_CNS[:, :, start:stop]).reshape(size, (stop - start) ** 2)
            for start, stop in pairwise(self.start_D.tolist())
        ]
        return np.concatenate([np.zeros((size, 0)), *sums], axis=1)


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
    """All pairs of N training rows, ready for many evaluations of the kernel.

    Memory grows as N (16 N + 7 S) doubles with S levels of all dimensions that occur: 40 dimensions of 10 levels and 40
    statistics of 300 rows take 18 MB at the peak.
    """

    def __init__(self, rows: Inputs) -> None:
        self.dims, self.levels, self.z_NK = rows.dims, rows.levels, rows.z_NK
        self.linear_NN = rows.z_NK @ rows.z_NK.T / max(rows.z_NK.shape[1], 1)

    def covariance(self, at: Hyperparameters) -> tuple[Values, Backward]:
        """The covariance of the rows without noise, (N, N), and what carries a gradient back to ``at``."""
        variances, count = np.exp(at.variances_5), len(self.dims)
        tables = Tables(self.dims, self.levels, self.levels, at)
        product_NN, sum_NN, square_NN = tables.summed(self.levels.hot_NS)
        np.exp(product_NN, out=product_NN)
        scaled_NK = self.z_NK * np.exp(-at.statistics_K)
        r_NN = np.sqrt(squared_distances(scaled_NK, scaled_NK))
        parts_5NN = np.stack(
            [
                product_NN,
                sum_NN / max(count, 1),
                (sum_NN**2 - square_NN) / max(count * (count - 1), 1),
                matern52(r_NN),
                self.linear_NN,
            ]
        )
        diagonal_5N = self_covariance(count, np.diag(self.linear_NN))
        covariance_NN: Values = np.tensordot(variances, parts_5NN, axes=1)
        np.fill_diagonal(covariance_NN, variances @ diagonal_5N)

        def backward(gradient_NN: Values) -> Hyperparameters:
            g_NN, g_N = gradient_NN.copy(), np.diag(gradient_NN)
            np.fill_diagonal(g_NN, 0.0)  # no length scale and no place moves the covariance of a row with itself
            of_pair = 2.0 * variances[2] / max(count * (count - 1), 1)
            # by log p_d, and by log a_d, which is a_d (w - of_pair a_d) with the same w in all dimensions
            by_3NN = np.stack(
                [
                    g_NN * variances[0] * product_NN,
                    g_NN * (variances[1] / max(count, 1) + of_pair * sum_NN),
                    g_NN * of_pair,
                ]
            )
            product_E, w_E, all_E = self.levels.sums_by_levels(by_3NN)
            additive_E = tables.additive_E * w_E - tables.additive_E**2 * all_E
            # minus the gradient by the gap, from either use of the dimension
            of_E, ordinal_E = tables.of_E, self.dims.ordinal_D[tables.of_E]
            product_E *= _steepness(tables.gap_E, at.product_D[of_E], ordinal_E)
            additive_E *= _steepness(tables.gap_E, at.additive_D[of_E], ordinal_E)
            geometry = Geometry(warp_2D=np.zeros((2, count)), places_V=np.zeros_like(at.geometry.places_V))
            for d, (by_gap_LL,) in enumerate(tables.split(-(product_E + additive_E)[None])):
                at.geometry.backward(self.dims, d, self.levels.level_DL[d], by_gap_LL, geometry)
            by_square_NN = g_NN * variances[3] * matern52_slope(r_NN)
            squares_K = 2.0 * (
                by_square_NN.sum(axis=1) @ self.z_NK**2 - (self.z_NK * (by_square_NN @ self.z_NK)).sum(0)
            )
            return Hyperparameters(
                product_D=np.bincount(of_E, product_E * tables.gap_E, count).astype(float),
                additive_D=np.bincount(of_E, additive_E * tables.gap_E, count).astype(float),
                statistics_K=squares_K * np.exp(-2.0 * at.statistics_K),
                variances_5=variances * (np.tensordot(parts_5NN, g_NN, axes=2) + diagonal_5N @ g_N),
                noise=0.0,
                geometry=geometry,
            )

        return covariance_NN, backward


class Tables:
    """What the kernel is made of, once a pair of levels: dimensions have few, so candidates only look it up.

    The sum over dimensions of what two rows look up is a product of matrices, one of zeros and ones. E numbers all
    pairs of levels, those of new rows before those of old ones, dimension after dimension.

    Attributes:
        shape_D: how many levels of new and of old rows each dimension has.
        of_E: the dimension of each pair.
        gap_E: its gap.
        additive_E: its correlation in the additive and pairwise parts.
    """

    def __init__(self, dims: Dimensions, new: "Levels", old: "Levels", at: Hyperparameters) -> None:
        levels = zip(new.level_DL, old.level_DL, strict=True)
        gaps = [at.geometry.gaps(dims, d, level_L, other_L) for d, (level_L, other_L) in enumerate(levels)]
        self.shape_D = [gap_LL.shape for gap_LL in gaps]
        self.of_E = np.repeat(np.arange(len(dims)), [gap_LL.size for gap_LL in gaps])
        self.gap_E = np.concatenate([np.zeros(0), *(gap_LL.ravel() for gap_LL in gaps)])
        ordinal_E = dims.ordinal_D[self.of_E]
        self.additive_E = _factor(self.gap_E, at.additive_D[self.of_E], ordinal_E)
        log_p_E = _log_factor(self.gap_E, at.product_D[self.of_E], ordinal_E)
        table_3E = np.stack([log_p_E, self.additive_E, self.additive_E**2])
        self._table_S3N = np.concatenate(
            [np.zeros((0, 3, len(old)))]
            + [
                by_3LL.transpose(1, 0, 2)[:, :, code_N]
                for by_3LL, code_N in zip(self.split(table_3E), old.code_DN, strict=True)
            ]
        )

    def split(self, value_CE: Values) -> Iterator[Values]:
        """Values of all pairs by dimension, shape (C, L, L')."""
        start = 0
        for shape in self.shape_D:
            stop = start + math.prod(shape)
            yield value_CE[:, start:stop].reshape(len(value_CE), *shape)
            start = stop

    def summed(self, hot_MS: Values) -> Values:
        """Sums over dimensions of log p_d, a_d and a_d^2 of M new rows with the N old ones, shape (3, M, N)."""
        levels, sums, size = self._table_S3N.shape
        summed_M3N = hot_MS @ self._table_S3N.reshape(levels, sums * size)
        return summed_M3N.reshape(len(hot_MS), sums, size).transpose(1, 0, 2)


def self_covariance(dimensions: int, square_N: Values) -> Values:
    """Each part's covariance of a row with itself, at unit variance, shape (5, N); ``square_N`` is z z' / K."""
    one_N = np.ones_like(square_N)
    return np.stack([one_N, one_N * (dimensions > 0), one_N * (dimensions > 1), one_N, square_N])


BLOCK = 128
"""Rows of a covariance that are made at a time: what is summed for them stays in the processor's cache."""


def cross_covariance(new: Inputs, old: Inputs, at: Hyperparameters) -> tuple[Values, Values]:
    """Covariances of M new rows with N old ones, (M, N), and of each new row with itself, (M,)."""
    count, statistics = len(new.dims), max(new.z_NK.shape[1], 1)
    variances = np.exp(at.variances_5)
    tables, hot_MS = Tables(new.dims, new.levels, old.levels, at), new.levels.hot_NS
    new_z, old_z = new.z_NK * np.exp(-at.statistics_K), old.z_NK * np.exp(-at.statistics_K)
    statistics_MN = squared_distances(new_z, old_z)
    covariance_MN = new.z_NK @ old.z_NK.T
    covariance_MN *= variances[4] / statistics
    for start in range(0, len(new), BLOCK):
        block = slice(start, start + BLOCK)
        product_BN, sum_BN, square_BN = tables.summed(hot_MS[block])
        covariance_BN = covariance_MN[block]
        covariance_BN += variances[0] * np.exp(product_BN)
        covariance_BN += sum_BN * (variances[1] / max(count, 1))
        covariance_BN += (sum_BN**2 - square_BN) * (variances[2] / max(count * (count - 1), 1))
        covariance_BN += variances[3] * matern52(np.sqrt(statistics_MN[block]))
    return covariance_MN, variances @ self_covariance(count, (new.z_NK**2).sum(1) / statistics)


def correlation(dims: Dimensions, d: int, level_L: Values, other_M: Values, at: Hyperparameters) -> Values:
    """Correlations between levels of one dimension in the additive and pairwise parts, shape (L, M)."""
    return _factor(at.geometry.gaps(dims, d, level_L, other_M), at.additive_D[d], bool(dims.ordinal_D[d]))


def _factor(gap: Values, log_length: Values | float, ordinal: NDArray[np.bool_] | bool) -> Values:
    scaled = gap * np.exp(-log_length)
    return np.where(ordinal, matern52(scaled), np.exp(-scaled))


def _log_factor(gap: Values, log_length: Values, ordinal: NDArray[np.bool_]) -> Values:
    """The logarithm of ``_factor``, also where that is too small for a number."""
    scaled = gap * np.exp(-log_length)
    root = SQRT5 * scaled
    return np.where(ordinal, np.log1p(root + root**2 / 3.0) - root, -scaled)


def _steepness(gap: Values, log_length: Values, ordinal: NDArray[np.bool_]) -> Values:
    """Minus the derivative of the logarithm of ``_factor`` by the gap."""
    inverse = np.exp(-log_length)
    root = SQRT5 * gap * inverse
    return np.where(ordinal, SQRT5 * inverse * (1.0 + root) * root / (3.0 + 3.0 * root + root**2), inverse)
