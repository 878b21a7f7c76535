"""From the first epochs and the configuration of a trial to its final accuracy and how sure that is.

Accuracies are modelled as logarithms of error: a candidate near the top can gain little, one at the bottom much.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from predictors.parts.gaussian import leave_one_out, squared_distances

Values = NDArray[np.float64]

FLOOR = 0.01
"""Added to errors before the logarithm, so that accuracy 1 is a finite distance away."""

FEWEST = 8
"""Curves below which no forecast is made: the spread of as many residuals is known to about a quarter."""

MOST = 150
"""At most this many curves, the newest, are fitted to: time grows with the cube."""

LINEAR, SMOOTH, LENGTH, NOISE, GAP = (0.1, 1.0), (0.3, 1.0), (1.0, 3.0), (0.03, 0.3), (0.0, 1.0)
"""Kernels that are tried: weight of the straight part and of the smooth part, length scale, noise, and how much more
noise there is per standard deviation of distance from the best curve. The likeliest on held-out curves is taken."""


def log_error(accuracy: NDArray[np.floating]) -> Values:
    """Logarithm of the error; lower is better."""
    error: Values = np.log(1 + FLOOR - np.asarray(accuracy, dtype=float))
    return error


def accuracy_of(error: NDArray[np.floating]) -> Values:
    """The inverse of ``log_error``."""
    accuracy: Values = 1 + FLOOR - np.exp(np.asarray(error, dtype=float))
    return accuracy


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Standardises columns; those that do not vary become 0."""

    mean_C: Values
    std_C: Values

    def __call__(self, raw_NC: Values) -> Values:
        scaled: Values = (raw_NC - self.mean_C) / self.std_C
        return np.clip(scaled, -4, 4)


def _scale(raw_NC: Values) -> Scale:
    std_C = raw_NC.std(axis=0)
    return Scale(mean_C=raw_NC.mean(axis=0), std_C=np.where(std_C > 1e-9, std_C, np.inf))


def _shape_of(error_NT: Values) -> Values:
    """What is read off a curve: its last value, its fall over the last half, and its height above its best, (N, 3)."""
    last_N = error_NT[:, -1]
    half_N = error_NT[:, (error_NT.shape[1] - 1) // 2]
    return np.stack([last_N, last_N - half_N, last_N - error_NT.min(axis=1)], axis=1)


def _distances(a_NC: Values, b_MC: Values) -> Values:
    """Mean squared differences over columns, (N, M)."""
    distance_NM: Values = squared_distances(a_NC, b_MC) / max(a_NC.shape[1], 1)
    return distance_NM


@dataclass(frozen=True, slots=True)
class _Kernel:
    linear: float
    smooth: float
    length: float
    noise: float
    gap: float

    def between(self, product_NM: Values, distance_NM: Values) -> Values:
        return self.linear * product_NM + self.smooth * np.exp(-distance_NM / (2 * self.length**2))

    def noise_of(self, gap_N: Values) -> Values:
        return self.noise * (1 + self.gap * gap_N**2)


class Forecaster:
    """A Gaussian process on the change from an early epoch to the last one; a function of the arrays given.

    The prior is that a trial ends as the others did from where it is; shape of the curve and configuration correct it.
    Kernel and spread are those under which each curve is likeliest when forecast from the others.
    """

    def __init__(self, curve_NE: Values, trait_NC: Values, epoch: int) -> None:
        """Fit.

        Args:
            curve_NE: accuracies of the trials that were trained in full.
            trait_NC: what is known of each before training.
            epoch: how many epochs of a curve are known when it is forecast, from 1 to E - 1.

        Raises:
            ValueError: fewer than ``FEWEST`` curves.
        """
        if len(curve_NE) < FEWEST:
            raise ValueError(f"{len(curve_NE)} curves were given; a forecast needs at least {FEWEST}")
        error_NE = log_error(curve_NE[-MOST:])
        shape_N3, trait_NC = _shape_of(error_NE[:, :epoch]), np.asarray(trait_NC, dtype=float)[-MOST:]
        self.epoch = epoch
        self._shape_scale, self._trait_scale = _scale(shape_N3), _scale(trait_NC)
        self._best = float(shape_N3[:, 0].min())
        self._shape_N3, self._trait_NC = self._shape_scale(shape_N3), self._trait_scale(trait_NC)
        change_N = error_NE[:, -1] - error_NE[:, epoch - 1]
        self._mean = float(change_N.mean())
        self._fit(change_N - self._mean, self._gap(shape_N3[:, 0]))

    def _gap(self, last_N: Values) -> Values:
        """Distance from the best curve, in standard deviations."""
        gap_N: Values = np.clip((last_N - self._best) / self._shape_scale.std_C[0], 0, 4)
        return gap_N

    def _fit(self, residual_N: Values, gap_N: Values) -> None:
        products = self._shape_N3 @ self._shape_N3.T / 3
        distances = (_distances(self._shape_N3, self._shape_N3) + _distances(self._trait_NC, self._trait_NC)) / 2
        kernels = [_Kernel(*values) for values in product(LINEAR, SMOOTH, LENGTH, NOISE, GAP)]
        inverse_GNN = np.linalg.inv(
            np.stack([kernel.between(products, distances) + np.diag(kernel.noise_of(gap_N)) for kernel in kernels])
        )
        weight_GN = inverse_GNN @ residual_N
        held_out_GN, variance_GN = leave_one_out(np.diagonal(inverse_GNN, axis1=1, axis2=2), weight_GN)
        scale_G = np.maximum((held_out_GN**2 / variance_GN).mean(axis=1), 1e-12)
        best = int(np.argmin(np.log(scale_G) + np.log(variance_GN).mean(axis=1)))
        count = len(residual_N)
        self._kernel, self._inverse_NN, self._weight_N = kernels[best], inverse_GNN[best], weight_GN[best]
        self._variance = float(scale_G[best]) * count / (count - 3)

    def __call__(self, curve_MT: Values, trait_MC: Values) -> tuple[Values, Values]:
        """Mean and standard deviation of the final ``log_error`` of trials of which ``epoch`` epochs are known."""
        error_MT = log_error(curve_MT[:, : self.epoch])
        shape_M3 = _shape_of(error_MT)
        scaled_M3, trait_MC = self._shape_scale(shape_M3), self._trait_scale(np.asarray(trait_MC, dtype=float))
        distance_MN = (_distances(scaled_M3, self._shape_N3) + _distances(trait_MC, self._trait_NC)) / 2
        cross_MN = self._kernel.between(scaled_M3 @ self._shape_N3.T / 3, distance_MN)
        own_M = self._kernel.linear * (scaled_M3**2).sum(1) / 3 + self._kernel.smooth
        explained_M = ((cross_MN @ self._inverse_NN) * cross_MN).sum(1)
        noise_M = self._kernel.noise_of(self._gap(shape_M3[:, 0]))
        variance_M = self._variance * (np.maximum(own_M - explained_M, 0) + noise_M)
        return error_MT[:, -1] + self._mean + cross_MN @ self._weight_N, np.sqrt(variance_M)
