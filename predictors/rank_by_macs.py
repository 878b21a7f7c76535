"""Ranks by macs alone: the larger, the better. Needs no training, so a learnt predictor must beat it."""

import numpy as np
from numpy.typing import NDArray

from predictors.parts.inputs import check_columns, check_scores
from predictors.protocol import Floats, Prediction
from spaces.encoding import Layout

NEEDS = ("macs",)


class Model:
    """The order of candidates is that of one statistic; the scores only give its place and its scale.

    A score is predicted as the scores' mean plus a non-negative slope times the statistic, by least squares. Where the
    slope of the scores is not positive, a slope of a thousandth of their spread keeps the order.

    Args:
        layout: the columns of x_NF.
        rng: not drawn from: nothing is random.
        macs: the column of s_NK that holds the logarithm of the macs.

    Raises:
        ValueError: ``macs`` is negative, or ``fit`` is given statistics without that column.
    """

    def __init__(self, *, layout: Layout, rng: np.random.Generator, macs: int = 0) -> None:
        if macs < 0:
            raise ValueError(f"rank_by_macs: the column of the macs is >= 0, given {macs}")
        self.layout, self.column = layout, macs
        self._line: tuple[float, float, float, float] | None = None

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Nothing to learn without scores; the arrays are checked."""
        check_columns(self.layout, x_NF, s_NK)

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        y_N = check_scores(self.layout, x_NF, s_NK, y_N)
        self._statistics = s_NK.shape[1]
        macs_N = self._macs(s_NK)
        centre, mean = float(macs_N.mean()), float(y_N.mean())
        variance = float(macs_N.var())
        covariance = float(((macs_N - centre) * (y_N - mean)).mean())
        least = 1e-3 * float(y_N.std()) / np.sqrt(variance) if variance > 0 else 0.0
        slope = max(covariance / variance, least) if variance > 0 else 0.0
        residual_N = y_N - mean - slope * (macs_N - centre)
        self._line = centre, mean, slope, float(residual_N.std() * np.sqrt((len(y_N) + 2) / len(y_N)))

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        if self._line is None:
            raise RuntimeError("the predictor 'rank_by_macs' has no scores yet; call fit before predict")
        check_columns(self.layout, x_NF, s_NK, self._statistics)
        centre, mean, slope, std = self._line
        mean_N = mean + slope * (self._macs(s_NK) - centre)
        return Prediction(mean_N=mean_N, std_N=np.full(len(mean_N), std))

    def _macs(self, s_NK: Floats) -> NDArray[np.float64]:
        if s_NK.shape[1] <= self.column:
            raise ValueError(f"rank_by_macs reads column {self.column} of s_NK, which has {s_NK.shape[1]}")
        return np.asarray(s_NK[:, self.column], dtype=np.float64)
