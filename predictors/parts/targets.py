"""The scale on which predictors learn scores: half Gaussian ranks, half clipped robust z-scores, and the way back.

Ranks make a predictor indifferent to any monotone change of the metric; z-scores keep how far apart candidates are.
Their mean keeps both (compare the output warping of HEBO, Cowen-Rivers et al. 2022, and of Vizier, Song et al. 2024).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from predictors.protocol import Prediction

CLIP = 3.0
"""Robust z-scores beyond this count as this: a diverged training is bad, not infinitely bad."""

Z90 = 1.6448536269514722
"""Half width of the central 90 % interval of a standard Gaussian."""

UNSEEN_SPREAD = 1e-3
"""Scores that are all equal: their assumed spread, relative to their size (absolute where they are small)."""


def _robust_z(y_N: NDArray[np.float64]) -> NDArray[np.float64]:
    median = np.median(y_N)
    spread = 1.4826 * np.median(np.abs(y_N - median))
    if spread < 1e-9 * np.ptp(y_N):  # more than half of the scores are equal
        spread = y_N.std()
    z_N: NDArray[np.float64] = np.clip((y_N - median) / spread, -CLIP, CLIP)
    return z_N


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Scores on the learning scale: zero mean, unit variance.

    Attributes:
        t_N: the targets of the scores that were given, in their order.
        knots_t: distinct targets, ascending.
        knots_y: the score of each of them.
        slopes: score per target below the first and above the last knot.
    """

    t_N: NDArray[np.float64]
    knots_t: NDArray[np.float64]
    knots_y: NDArray[np.float64]
    slopes: tuple[float, float]

    def scores(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores of targets: increasing, linear between the knots and beyond them."""
        inside: NDArray[np.float64] = np.interp(t, self.knots_t, self.knots_y)
        below = np.minimum(t - self.knots_t[0], 0.0) * self.slopes[0]
        above = np.maximum(t - self.knots_t[-1], 0.0) * self.slopes[1]
        result: NDArray[np.float64] = inside + below + above
        return result

    def of(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """The targets of scores: the inverse of ``scores``."""
        inside: NDArray[np.float64] = np.interp(y, self.knots_y, self.knots_t)
        below = np.minimum(y - self.knots_y[0], 0.0) / self.slopes[0]
        above = np.maximum(y - self.knots_y[-1], 0.0) / self.slopes[1]
        result: NDArray[np.float64] = inside + below + above
        return result

    def belief(self, prediction: Prediction) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A belief about scores as mean and standard deviation of targets: the inverse of ``prediction``."""
        reach_N = Z90 * prediction.std_N
        wide_N = self.of(prediction.mean_N + reach_N) - self.of(prediction.mean_N - reach_N)
        return self.of(prediction.mean_N), wide_N / (2 * Z90)

    def prediction(self, mean_N: NDArray[np.float64], std_N: NDArray[np.float64], noise: float) -> Prediction:
        """A belief about targets as one about scores: the same order of means, 90 % intervals of the same width.

        Args:
            mean_N: expected targets.
            std_N: standard deviations of the noise-free targets.
            noise: standard deviation of the noise on targets; its score is taken at the median candidate.
        """
        return Prediction(
            mean_N=self.scores(mean_N),
            std_N=self._spread(mean_N, std_N),
            noise_std=float(np.median(self._spread(self.knots_t, np.full_like(self.knots_t, noise)))),
        )

    def _spread(self, t_N: NDArray[np.float64], std_N: NDArray[np.float64]) -> NDArray[np.float64]:
        wide = self.scores(t_N + Z90 * std_N) - self.scores(t_N - Z90 * std_N)
        return np.maximum(wide, 0.0) / (2 * Z90)


def targets(y_N: NDArray[np.float64]) -> Targets:
    """The learning scale of these scores."""
    # scores that differ by rounding only are equal: the scale must not blow the rounding up
    if np.ptp(y_N) <= 1e-12 * np.abs(y_N).max():
        level, spread = float(y_N.mean()), UNSEEN_SPREAD * max(1.0, float(np.abs(y_N).max()))
        return Targets(t_N=np.zeros(len(y_N)), knots_t=np.zeros(1), knots_y=np.array([level]), slopes=(spread, spread))
    gaussian_N = ndtri((rankdata(y_N) - 0.375) / (len(y_N) + 0.25))
    t_N = 0.5 * gaussian_N + 0.5 * _robust_z(y_N)
    t_N = (t_N - t_N.mean()) / t_N.std()
    knots_y, first = np.unique(y_N, return_index=True)
    knots_t = t_N[first]
    return Targets(t_N=t_N, knots_t=knots_t, knots_y=knots_y, slopes=_end_slopes(knots_t, knots_y))


def _end_slopes(knots_t: NDArray[np.float64], knots_y: NDArray[np.float64]) -> tuple[float, float]:
    """Score per target over the outer quarters of the knots: two neighbouring knots alone would be too noisy."""
    reach = max(1, len(knots_t) // 4)
    low = (knots_y[reach] - knots_y[0]) / (knots_t[reach] - knots_t[0])
    high = (knots_y[-1] - knots_y[-1 - reach]) / (knots_t[-1] - knots_t[-1 - reach])
    return float(low), float(high)
