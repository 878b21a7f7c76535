"""Laws of accuracy against the number of training images, with intervals, judged by a rung that they have not seen.

``power``: the error falls as a power of the number, log e = a - b log n (as Fan et al. 2024 fit losses).
``logarithm``: accuracy grows by the logarithm of the number, a + b log n (Sun et al. 2017). Both are straight lines.
``floored power``: the error falls so to a floor, e = f + exp(a - b log n), which a network or a schedule may have,
however many images there are (Hestness et al. 2017).

All are fitted to every training of every rung by least squares, whose weights are those of counts of mistakes (a few
mistakes vary by more of themselves than many), so that intervals are Student's and hold what seeds differ by and what a
law misses; those of the floored power are of its linearisation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import t as student

CONFIDENCE = 0.95
FEWEST = 3
"""Rungs that a law is fitted to at least, so that a line can be seen to miss them."""
REFITS = 3
"""Rounds of weights and line, of which the first has equal weights."""
Arrays = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A law: accuracy as a straight line of log n.

    Attributes:
        bent: from accuracy to the level of the line.
        straight: its inverse.
        weight: of a level where the error is so large: what the variance of a count of mistakes is divided by there.
    """

    bent: Callable[[Arrays], Arrays]
    straight: Callable[[Arrays], Arrays]
    weight: Callable[[Arrays], Arrays]


LINES: Mapping[str, Line] = {
    "power": Line(
        bent=lambda accuracy: np.log(1 - accuracy),
        straight=lambda level: 1 - np.exp(level),
        weight=lambda error: error / (1 - error),
    ),
    "logarithm": Line(
        bent=lambda accuracy: accuracy,
        straight=lambda level: level,
        weight=lambda error: 1 / (error * (1 - error)),
    ),
}
FLOORED = "floored power"
LAWS = (*LINES, FLOORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """An accuracy that a law predicts, with its interval (95 %), in [0, 1]."""

    accuracy: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.accuracy:.4f} ({self.low:.4f} to {self.high:.4f})"


class Fit(Protocol):
    """A law fitted to trainings."""

    def predict(self, count: float, trainings: int) -> Predicted:
        """Mean accuracy of so many trainings on ``count`` images."""

    def gain(self, count: float, times: float) -> Predicted:
        """What ``times`` as many images bring beyond ``count``: a difference of accuracies of the law, in [-1, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLine:
    """A straight line fitted to trainings.

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
        row_2 = np.array([1.0, np.log(count)])
        level = float(row_2 @ self.coefficient_2)
        own = self.variance / float(_weight(self.law, np.array([level]), self.judged)[0])
        reach = _reach(float(row_2 @ self.covariance_22 @ row_2 + own / trainings), self.freedom)
        straight = LINES[self.law].straight
        middle, one, other = straight(np.array([level, level - reach, level + reach])).clip(0.0, 1.0).tolist()
        return Predicted(accuracy=middle, low=min(one, other), high=max(one, other))

    def gain(self, count: float, times: float) -> Predicted:
        # The interval is of draws of the coefficients from their joint distribution, always the same ones.
        generator = np.random.default_rng(0)
        scale_D = np.sqrt(self.freedom / generator.chisquare(self.freedom, 10_000))
        noise_D2 = generator.multivariate_normal([0.0, 0.0], self.covariance_22, 10_000) * scale_D[:, None]
        coefficient_D2 = np.vstack([self.coefficient_2, self.coefficient_2 + noise_D2])
        level_D2 = coefficient_D2 @ np.array([[1.0, 1.0], np.log([count, times * count])])
        accuracy_D2 = LINES[self.law].straight(level_D2).clip(0.0, 1.0)
        gain_D = accuracy_D2[:, 1] - accuracy_D2[:, 0]
        low, high = np.quantile(gain_D[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
        return Predicted(accuracy=float(gain_D[0]), low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedFloor:
    """The floored power fitted to trainings.

    Attributes:
        judged: images that an accuracy rests on.
        coefficient_3: floor, a and b.
        covariance_33: of these.
        variance: of one training about the law, as a multiple of e (1 - e).
        freedom: trainings less three.
    """

    judged: int
    coefficient_3: Arrays
    covariance_33: Arrays
    variance: float
    freedom: int

    def predict(self, count: float, trainings: int) -> Predicted:
        error, row_3 = float(_floored(np.array(count), *self.coefficient_3)), self._slopes(count)
        own = self.variance * float(_binomial(np.array(error), self.judged)) / trainings
        return self._around(1 - error, float(row_3 @ self.covariance_33 @ row_3) + own, 0.0)

    def gain(self, count: float, times: float) -> Predicted:
        now, then = (float(_floored(np.array(one), *self.coefficient_3)) for one in (count, times * count))
        row_3 = self._slopes(times * count) - self._slopes(count)
        return self._around(now - then, float(row_3 @ self.covariance_33 @ row_3), -1.0)

    def _slopes(self, count: float) -> Arrays:
        """Derivatives of the error by the coefficients."""
        _, a, b = self.coefficient_3
        power = np.exp(a - b * np.log(count))
        return np.array([1.0, power, -power * np.log(count)])

    def _around(self, middle: float, variance: float, least: float) -> Predicted:
        reach = _reach(variance, self.freedom)
        accuracy, low, high = np.clip([middle, middle - reach, middle + reach], least, 1.0).tolist()
        return Predicted(accuracy=accuracy, low=low, high=high)


def _floored(count_N: Arrays, floor: float, a: float, b: float) -> Arrays:
    error_N: Arrays = floor + np.exp(a - b * np.log(count_N))
    return error_N


def _binomial(error_N: Arrays, judged: int) -> Arrays:
    """Variance of one answer where the error is so large."""
    kept_N = _kept(error_N, judged)
    return kept_N * (1 - kept_N)


def _fitted_floor(count_N: Arrays, accuracy_N: Arrays, judged: int) -> FittedFloor:
    error_N, smallest = 1 - accuracy_N, 0.5 / judged
    start = _fitted_line("power", count_N, accuracy_N, judged).coefficient_2
    coefficient_3 = np.array([0.0, start[0], max(-start[1], 1e-3)])
    bounds = ([0.0, -np.inf, 0.0], [max(float(error_N.min()), smallest), np.inf, np.inf])
    for _ in range(REFITS):
        std_N = np.sqrt(_binomial(_floored(count_N, *coefficient_3), judged))
        found = least_squares(
            lambda at_3, std_N=std_N: (_floored(count_N, *at_3) - error_N) / std_N, coefficient_3, bounds=bounds
        )
        coefficient_3 = found.x
    freedom = len(count_N) - 3
    variance = 2.0 * float(found.cost) / freedom
    # Where the data leave a direction open, such as an exponent of 0, the pseudoinverse keeps what they do say.
    covariance_33: Arrays = variance * np.linalg.pinv(found.jac.T @ found.jac)
    return FittedFloor(
        judged=judged, coefficient_3=coefficient_3, covariance_33=covariance_33, variance=variance, freedom=freedom
    )


def fitted(law: str, count_N: Arrays, accuracy_N: Arrays, judged: int) -> Fit:
    """Weighted least squares over N trainings; lines take an accuracy of 1 for half a mistake.

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
    if law == FLOORED:
        return _fitted_floor(count_N, accuracy_N, judged)
    return _fitted_line(law, count_N, accuracy_N, judged)


def _fitted_line(law: str, count_N: Arrays, accuracy_N: Arrays, judged: int) -> FittedLine:
    design_N2 = np.stack([np.ones_like(count_N), np.log(count_N)], axis=1)
    level_N = LINES[law].bent(_kept(accuracy_N, judged))
    weight_N, freedom = np.ones_like(level_N), len(count_N) - 2
    for _ in range(REFITS):
        root_N = np.sqrt(weight_N)
        coefficient_2 = np.linalg.lstsq(design_N2 * root_N[:, None], level_N * root_N, rcond=None)[0]
        weight_N = _weight(law, design_N2 @ coefficient_2, judged)
    variance = float((weight_N * (level_N - design_N2 @ coefficient_2) ** 2).sum()) / freedom
    precision_22 = design_N2.T @ (design_N2 * weight_N[:, None])
    covariance_22: Arrays = np.asarray(variance * np.linalg.inv(precision_22), dtype=np.float64)
    return FittedLine(
        law=law,
        judged=judged,
        coefficient_2=coefficient_2,
        covariance_22=covariance_22,
        variance=variance,
        freedom=freedom,
    )


def _weight(law: str, level_N: Arrays, judged: int) -> Arrays:
    """Weights of levels of a line."""
    return LINES[law].weight(_kept(1 - LINES[law].straight(level_N), judged))


def _kept(share_N: Arrays, judged: int) -> Arrays:
    """Errors or accuracies, none nearer to 0 or 1 than half a mistake among the images judged."""
    kept_N: Arrays = share_N.clip(0.5 / judged, 1 - 0.5 / judged)
    return kept_N


def _reach(variance: float, freedom: int) -> float:
    """Half of the interval (95 %) of a value with this variance."""
    return float(student.ppf((1 + CONFIDENCE) / 2, freedom)) * float(np.sqrt(variance))


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
