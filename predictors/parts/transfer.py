"""Earlier studies as prior mean: ridge on their predictors' predictions, and a Gaussian process on what is left.

Earlier ones are given as fitted predictors of the same columns, for other data, other limits or other budgets. Their
scores need not share a unit: only the shape of their opinion is used. A part and no predictor of its own, since nobody
who names a predictor in a configuration has them to give (``search.learning.past`` has).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from predictors.parts.calibration import STRUCTURE, inflation
from predictors.parts.derived import extended
from predictors.parts.inputs import check_columns, check_scores
from predictors.parts.kernel import Inputs, inputs
from predictors.parts.process import Posterior, condition, learn, spread_rows
from predictors.parts.scaler import Scaler, scaler
from predictors.parts.targets import Targets, targets
from predictors.protocol import Floats, Prediction, Predictor
from spaces.encoding import Layout

Values = NDArray[np.float64]

RIDGE = 4.0
"""The prior of the weights counts as this many rows."""

PRIOR_SHARE = 0.8
"""Correlation with the mean of the earlier opinions that is assumed before any score is known."""

RESIDUAL_ROWS = 4.0
"""The prior of the residual's variance, 1 - PRIOR_SHARE^2, counts as this many rows."""

VAGUE = 5.0
"""Targets carry an error of variance VAGUE / N: ranks among N rows are a rough sample of ranks among all candidates."""


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A linear function of the opinions of S earlier predictors.

    Attributes:
        weight_S: of each opinion, on standardised scales.
        covariance_SS: of the weights, relative to the variance of the residuals.
        offset: added to the weighted opinions.
    """

    weight_S: Values
    covariance_SS: Values
    offset: float

    def __call__(self, opinion_NS: Values) -> Values:
        trend_N: Values = opinion_NS @ self.weight_S + self.offset
        return trend_N


def ridge(opinion_NS: Values, t_N: Values) -> Trend:
    """The trend of targets in opinions: the weights are drawn to those of the opinions' mean."""
    earlier = opinion_NS.shape[1]
    prior_S = np.full(earlier, PRIOR_SHARE / max(earlier, 1))
    covariance_SS = np.asarray(np.linalg.inv(opinion_NS.T @ opinion_NS + RIDGE * np.eye(earlier)), dtype=np.float64)
    weight_S = covariance_SS @ (opinion_NS.T @ t_N + RIDGE * prior_S)
    # the targets' mean is that of the few rows that were trained, which need not be average ones
    offset = float((t_N - opinion_NS @ weight_S).sum() / (len(t_N) + 1.0)) if earlier else 0.0
    return Trend(weight_S=weight_S, covariance_SS=covariance_SS, offset=offset)


class Model:
    """Ridge on earlier predictions, its weights drawn to those of their mean, plus a residual Gaussian process.

    A misleading past is left behind as scores come in: the weights move, the residual's variance grows with what
    earlier predictors fail to explain, and its process sees all columns and statistics. Deterministic, but for them.

    Args:
        layout: the columns of x_NF.
        rng: not drawn from.
        earlier: fitted predictors of these columns and statistics; without any, all is left to the residual process.
        rows: as in ``predictors.gp``.
        learning_rows: as in ``predictors.gp``.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        rng: np.random.Generator,
        earlier: Sequence[Predictor] = (),
        rows: int = 1000,
        learning_rows: int = 250,
    ) -> None:
        if rows < 2 or learning_rows < 2:
            raise ValueError(f"transfer: rows and learning_rows are >= 2, given {rows} and {learning_rows}")
        self.layout, self.earlier, self.rows, self.learning_rows = layout, tuple(earlier), rows, learning_rows
        self._pool: tuple[Scaler, list[tuple[Values, Values]]] | None = None
        self._residual: Posterior | None = None

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Take the scale of the statistics and of the earlier predictions from many candidates."""
        check_columns(self.layout, x_NF, s_NK)
        self._pool = (scaler(extended(self.layout, x_NF, s_NK)), self._scales(x_NF, s_NK)) if len(x_NF) > 1 else None

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        y_N = check_scores(self.layout, x_NF, s_NK, y_N)
        self._statistics = s_NK.shape[1]
        raw_NC = extended(self.layout, x_NF, s_NK)
        self._scaler, self._opinions = self._pool or (scaler(raw_NC), self._scales(x_NF, s_NK))
        self.targets: Targets = targets(y_N)
        opinion_NS = self._opinion(x_NF, s_NK)
        self._trend = ridge(opinion_NS, self.targets.t_N)
        left_N = self.targets.t_N - self._trend(opinion_NS)
        prior = 1.0 - PRIOR_SHARE**2 if self.earlier else 1.0
        self._scale = float(np.sqrt(((left_N**2).sum() + prior * RESIDUAL_ROWS) / (len(left_N) + RESIDUAL_ROWS)))
        everything = inputs(self.layout, x_NF, self._scaler(raw_NC))
        few, many = spread_rows(y_N, self.learning_rows, best=0.0), spread_rows(y_N, self.rows)
        at = learn(everything.rows(few), left_N[few] / self._scale)
        rough = VAGUE / (len(y_N) * self._scale**2)
        at = replace(at, noise=float(np.log(np.exp(at.noise) + rough)))
        self._residual = condition(everything.rows(many), left_N[many] / self._scale, at)
        left_out_N, std_N = self._residual.leave_one_out()
        self._inflation = inflation(self._residual.t_N - left_out_N, std_N)

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        if self._residual is None:
            raise RuntimeError("the predictor 'transfer' has no scores yet; call fit before predict")
        check_columns(self.layout, x_NF, s_NK, self._statistics)
        mean_N, std_N = self._residual(self._seen(x_NF, s_NK))
        opinion_NS = self._opinion(x_NF, s_NK)
        noise, wide = float(np.exp(self._residual.at.noise)), self._inflation * self._scale
        # the trend's weights are uncertain too
        doubt_N = np.einsum("ns,st,nt->n", opinion_NS, self._trend.covariance_SS, opinion_NS)
        std_N = wide * np.sqrt(std_N**2 + STRUCTURE * noise + doubt_N)
        trend_N = self._trend(opinion_NS)
        return self.targets.prediction(trend_N + self._scale * mean_N, std_N, wide * ((1 - STRUCTURE) * noise) ** 0.5)

    def believing(self, x_NF: Floats, s_NK: Floats) -> "Model":
        """As ``predictors.gp.Model.believing``; the trend is as sure as it was."""
        assert self._residual is not None
        believer = copy.copy(self)
        believer._residual = self._residual.believing(self._seen(x_NF, s_NK))
        return believer

    def _seen(self, x_NF: Floats, s_NK: Floats) -> Inputs:
        """Rows as the kernel sees them, on the scale of the fit."""
        return inputs(self.layout, x_NF, self._scaler(extended(self.layout, x_NF, s_NK)))

    def _scales(self, x_NF: Floats, s_NK: Floats) -> list[tuple[Values, Values]]:
        """Each earlier predictor's predictions of these rows, ascending, and their Gaussian ranks."""
        scales = []
        for predictor in self.earlier:
            guess_N = np.sort(predictor.predict(x_NF, s_NK).mean_N)
            scales.append((guess_N, ndtri((rankdata(guess_N) - 0.375) / (len(guess_N) + 0.25))))
        return scales

    def _opinion(self, x_NF: Floats, s_NK: Floats) -> Values:
        """Gaussian rank of each candidate in each earlier predictor's opinion, (N, S)."""
        opinion_NS = np.empty((len(x_NF), len(self.earlier)))
        for column, (predictor, (guess_P, rank_P)) in enumerate(zip(self.earlier, self._opinions, strict=True)):
            opinion_NS[:, column] = np.interp(predictor.predict(x_NF, s_NK).mean_N, guess_P, rank_P)
        return opinion_NS
