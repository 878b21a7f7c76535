"""Laws of accuracy against the number of training images, with intervals, judged by a rung that they have not seen.

``power``: the error falls as a power of the number, log e = a - b log n (as Fan et al. 2024 fit losses).
``logarithm``: accuracy grows by the logarithm of the number, a + b log n (Sun et al. 2017). Both are straight lines,
fitted to every training of every rung by least squares, whose weights are those of counts of mistakes (a few mistakes
vary by more of themselves than many), so that intervals are Student's and hold what seeds differ by and what a line
misses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

CONFIDENCE = 0.95
FEWEST = 3
"""Rungs that a law is fitted to at least, so that a line can be seen to miss them."""
REFITS = 3
"""Rounds of weights and line, of which the first has equal weights."""
Arrays = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Law:
    """A law: accuracy as a straight line of log n.

    Attributes:
        bent: from accuracy to the level of the line.
        straight: its inverse.
        weight: of a level where the error is so large: what the variance of a count of mistakes is divided by there.
    """

    bent: Callable[[Arrays], Arrays]
    straight: Callable[[Arrays], Arrays]
    weight: Callable[[Arrays], Arrays]


LAWS: Mapping[str, Law] = {
    "power": Law(
        bent=lambda accuracy: np.log(1 - accuracy),
        straight=lambda level: 1 - np.exp(level),
        weight=lambda error: error / (1 - error),
    ),
    "logarithm": Law(
        bent=lambda accuracy: accuracy,
        straight=lambda level: level,
        weight=lambda error: 1 / (error * (1 - error)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """An accuracy that a law predicts, with its interval (95 %), in [0, 1]."""

    accuracy: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.accuracy:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A law fitted to trainings.

    Attributes:
        law: its name.
        judged: images that an accuracy rests on.
        coefficient_2: intercept and slope over log n.
        covariance_22: of these.
        variance: of one training about the line where its weight is 1.
        freedom: trainings less two.
    """

    law: str
    judged: int
    coefficient_2: Arrays
    covariance_22: Arrays
    variance: float
    freedom: int

    def predict(self, count: float, trainings: int) -> Predicted:
        """Mean accuracy of so many trainings on ``count`` images."""
        row_2 = np.array([1.0, np.log(count)])
        level = float(row_2 @ self.coefficient_2)
        own = self.variance / float(_weight(self.law, np.array([level]), self.judged)[0])
        spread = float(np.sqrt(row_2 @ self.covariance_22 @ row_2 + own / trainings))
        reach = float(student.ppf((1 + CONFIDENCE) / 2, self.freedom)) * spread
        straight = LAWS[self.law].straight
        middle, one, other = straight(np.array([level, level - reach, level + reach])).clip(0.0, 1.0).tolist()
        return Predicted(accuracy=middle, low=min(one, other), high=max(one, other))

    def gain(self, count: float, times: float) -> Predicted:
        """What ``times`` as many images bring beyond ``count``: a difference of accuracies of the line, in [-1, 1].

        Its interval is of draws of the coefficients from their joint distribution, always the same ones.
        """
        generator = np.random.default_rng(0)
        scale_D = np.sqrt(self.freedom / generator.chisquare(self.freedom, 10_000))
        noise_D2 = generator.multivariate_normal([0.0, 0.0], self.covariance_22, 10_000) * scale_D[:, None]
        coefficient_D2 = np.vstack([self.coefficient_2, self.coefficient_2 + noise_D2])
        level_D2 = coefficient_D2 @ np.array([[1.0, 1.0], np.log([count, times * count])])
        accuracy_D2 = LAWS[self.law].straight(level_D2).clip(0.0, 1.0)
        gain_D = accuracy_D2[:, 1] - accuracy_D2[:, 0]
        low, high = np.quantile(gain_D[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
        return Predicted(accuracy=float(gain_D[0]), low=low, high=high)


def fitted(law: str, count_N: Arrays, accuracy_N: Arrays, judged: int) -> Fit:
    """Weighted least squares over N trainings; an accuracy of 1 is taken for half a mistake.

    Args:
        law: a name of ``LAWS``.
        count_N: training images of each.
        accuracy_N: of each, in [0, 1].
        judged: images that an accuracy rests on.

    Raises:
        ValueError: fewer than three different counts.
    """
    if len(set(count_N.tolist())) < FEWEST:
        raise ValueError(f"a law needs {FEWEST} different numbers of images, given {len(set(count_N.tolist()))}")
    design_N2 = np.stack([np.ones_like(count_N), np.log(count_N)], axis=1)
    level_N = LAWS[law].bent(accuracy_N.clip(0.5 / judged, 1 - 0.5 / judged))
    weight_N, freedom = np.ones_like(level_N), len(count_N) - 2
    for _ in range(REFITS):
        root_N = np.sqrt(weight_N)
        coefficient_2 = np.linalg.lstsq(design_N2 * root_N[:, None], level_N * root_N, rcond=None)[0]
        weight_N = _weight(law, design_N2 @ coefficient_2, judged)
    variance = float((weight_N * (level_N - design_N2 @ coefficient_2) ** 2).sum()) / freedom
    precision_22 = design_N2.T @ (design_N2 * weight_N[:, None])
    covariance_22: Arrays = np.asarray(variance * np.linalg.inv(precision_22), dtype=np.float64)
    return Fit(
        law=law,
        judged=judged,
        coefficient_2=coefficient_2,
        covariance_22=covariance_22,
        variance=variance,
        freedom=freedom,
    )


def _weight(law: str, level_N: Arrays, judged: int) -> Arrays:
    """Weights of levels of a line; no error is below half a mistake among the images judged."""
    error_N = (1 - LAWS[law].straight(level_N)).clip(0.5 / judged, 1 - 0.5 / judged)
    return LAWS[law].weight(error_N)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """The largest rung as a law predicts it that was fitted to the others, and as it was measured.

    Attributes:
        law: its name.
        count: training images of the rung.
        predicted: mean accuracy of as many trainings as the rung has.
        measured: that mean.
    """

    law: str
    count: int
    predicted: Predicted
    measured: float

    @property
    def holds(self) -> bool:
        """Whether the interval holds what was measured."""
        return self.predicted.low <= self.measured <= self.predicted.high


def held_out(law: str, count_N: Arrays, accuracy_N: Arrays, judged: int) -> HeldOut:
    """A law's prediction of the largest rung.

    Raises:
        ValueError: fewer than four different counts.
    """
    last_N = count_N == count_N.max()
    fit = fitted(law, count_N[~last_N], accuracy_N[~last_N], judged)
    return HeldOut(
        law=law,
        count=int(count_N.max()),
        predicted=fit.predict(float(count_N.max()), int(last_N.sum())),
        measured=float(accuracy_N[last_N].mean()),
    )
