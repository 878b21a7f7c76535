"""A Gaussian process on dimensions and free statistics: the default where a few dozen to a few hundred are trained.

Everything is a function of the layout and of the arrays given: no random numbers, no memory of earlier fits (but a
cache that returns what would be computed again). In float64 on one thread.
"""

import copy
import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from predictors.parts.bounds import Ceiling, Mean, ceilings
from predictors.parts.calibration import STRUCTURE, inflation
from predictors.parts.derived import extended
from predictors.parts.inputs import check_columns, check_scores
from predictors.parts.kernel import Hyperparameters, Inputs, inputs
from predictors.parts.process import Posterior, condition, learn, spread_rows
from predictors.parts.scaler import Scaler, scaler
from predictors.parts.targets import Targets, targets
from predictors.protocol import Floats, Prediction
from spaces.encoding import Layout

Values = NDArray[np.float64]

NEEDS: tuple[str, ...] = ()

FOLDS = 5
REFITTED = 100
"""Up to this many rows intervals are judged by folds that learn hyperparameters without the rows they judge. Each fold
costs as much as the fit itself; of more rows hyperparameters are sure enough to be shared."""

GROWTH = 17 / 16
"""With ``refit='grown'`` hyperparameters are learnt anew when the data have grown by this factor."""

SURROGATE_ROWS = 300
"""Observations that a surrogate conditions on; of more, the best and a spread of the rest. Bounds the time and the
memory of a proposal, however long the search is."""


class Model:
    """Gaussian process with the kernel of ``parts.kernel``, on the targets of ``predictors.parts.targets``.

    Args:
        layout: the columns of x_NF.
        rng: not drawn from: the model is deterministic.
        refit: ``always`` learns hyperparameters from all rows, in any order. ``grown`` learns them from the first m
            rows, m the last of 1, 2, ..., each the former times 17/16 rounded up, that is <= N, and conditions on all:
            a sampler that fits after every trial pays for few of them, and replaying its trials gives the same model.
        rows: the posterior is exact up to this number of rows; of more it takes the best half, and the rest evenly down
            the ranks, so that time and memory stay bounded (O(rows^2)).
        learning_rows: as ``rows``, for learning hyperparameters, with no preference for the best.
        unit: of predictions: that of the scores, or the learning scale of ``parts.targets``, on which a difference
            means the same wherever it lies. Scores are given as they are in both cases.
        length: factor on the prior medians of the dimensions' length scales; below 1 expects rougher scores.
        intervals: how their width is judged. ``refitted`` leaves rows out of the learning of hyperparameters as well
            (for up to ``REFITTED`` rows, at five times the cost of a fit); ``shared`` only out of the conditioning, and
            is narrower where few rows shaped many hyperparameters.
        structure: share of the learnt noise variance that belongs to the spread of the noise-free score
            (``parts.calibration.STRUCTURE``, which intervals need to hold); 0 leaves the model's own uncertainty,
            which differs between candidates and says where a trial would teach most.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        rng: np.random.Generator,
        refit: Literal["always", "grown"] = "always",
        rows: int = 1000,
        learning_rows: int = 250,
        unit: Literal["score", "target"] = "score",
        length: float = 1.0,
        intervals: Literal["refitted", "shared"] = "refitted",
        structure: float = STRUCTURE,
    ) -> None:
        if refit not in ("always", "grown") or rows < 2 or learning_rows < 2 or unit not in ("score", "target"):
            raise ValueError(
                "gp: refit is always or grown, rows and learning_rows are >= 2, unit is score or target; "
                f"given {refit}, {rows}, {learning_rows}, {unit}"
            )
        if intervals not in ("refitted", "shared"):
            raise ValueError(f"gp: intervals is refitted or shared, given {intervals}")
        if length <= 0 or not 0 <= structure <= 1:
            raise ValueError(f"gp: length is > 0 and structure from 0 to 1; given {length} and {structure}")
        self.length, self.intervals, self.structure = length, intervals, structure
        self.unit, self.layout, self.refit, self.rows, self.learning_rows = unit, layout, refit, rows, learning_rows
        self._pool: Scaler | None = None
        self._learnt: tuple[bytes, Hyperparameters] | None = None
        self._posterior: Posterior | None = None

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Take the scale of the statistics from many candidates instead of from the few that are trained."""
        check_columns(self.layout, x_NF, s_NK)
        self._pool = scaler(extended(self.layout, x_NF, s_NK)) if len(x_NF) > 1 else None

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        y_N = check_scores(self.layout, x_NF, s_NK, y_N)
        raw_NC = extended(self.layout, x_NF, s_NK)
        if self._pool is not None and self._pool.column_K.size and self._pool.column_K[-1] >= raw_NC.shape[1]:
            raise ValueError(f"pretrained with more statistics than the {s_NK.shape[1]} given to fit")
        self._scaler = self._pool or scaler(raw_NC)
        self._statistics = s_NK.shape[1]
        everything = inputs(self.layout, x_NF, self._scaler(raw_NC))
        at = self._hyperparameters(everything, y_N)
        rows_M = spread_rows(y_N, self.rows)
        self.targets: Targets = targets(y_N)
        self._posterior = condition(everything.rows(rows_M), self.targets.t_N[rows_M], at)
        self._inflation = inflation(*self._left_out())

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        posterior = self.posterior
        check_columns(self.layout, x_NF, s_NK, self._statistics)
        mean_N, std_N = posterior(self._seen(x_NF, s_NK))
        noise = np.exp(posterior.at.noise)
        wide_N = self._inflation * np.sqrt(std_N**2 + self.structure * noise)
        seeds = float(self._inflation * np.sqrt((1.0 - self.structure) * noise))
        if self.unit == "target":
            return Prediction(mean_N=mean_N, std_N=wide_N, noise_std=seeds)
        return self.targets.prediction(mean_N, wide_N, seeds)

    def believing(self, x_NF: Floats, s_NK: Floats) -> "Model":
        """The model if these rows had scored what it expects: the same means, smaller standard deviations near them."""
        believer = copy.copy(self)
        believer._posterior = self.posterior.believing(self._seen(x_NF, s_NK))
        return believer

    def _seen(self, x_NF: Floats, s_NK: Floats) -> Inputs:
        """Rows as the kernel sees them, on the scale of the fit."""
        return inputs(self.layout, x_NF, self._scaler(extended(self.layout, x_NF, s_NK)))

    def ceilings(self, options: Sequence[Floats], high_BK: Floats) -> Sequence[Ceiling]:
        """Upper bounds of the predicted mean over a whole space; see ``predictors.parts.bounds.Bounded``.

        Raises:
            RuntimeError: called before ``fit``.
        """
        posterior, scale = self.posterior, self._scaler
        mean = Mean(
            layout=self.layout,
            rows=posterior.rows,
            alpha_N=posterior.alpha_N,
            at=posterior.at,
            column_K=scale.column_K,
            mean_K=scale.mean_K,
            std_K=scale.std_K,
        )
        return ceilings(mean, options, high_BK, self.targets.scores if self.unit == "score" else np.positive)

    @property
    def posterior(self) -> Posterior:
        """The posterior on the scale of the targets.

        Raises:
            RuntimeError: called before ``fit``.
        """
        if self._posterior is None:
            raise RuntimeError("the predictor 'gp' has no scores yet; call fit before predict")
        return self._posterior

    def _left_out(self) -> tuple[Values, Values]:
        """What left-out targets differ from their predictions by, and its standard deviation, noise included."""
        posterior = self.posterior
        rows, t_N, count = posterior.rows, posterior.t_N, len(posterior.t_N)
        if self.intervals == "shared" or not 2 * FOLDS <= count <= REFITTED:
            left_out_N, std_N = posterior.leave_one_out()
            return t_N - left_out_N, std_N
        residual_N, std_N, order_N = np.empty(count), np.empty(count), np.argsort(t_N, kind="stable")
        for fold in range(FOLDS):
            out = order_N[fold::FOLDS]  # good and bad ones in every fold
            known = np.delete(np.arange(count), out)
            at = learn(rows.rows(known), t_N[known], self.length)
            mean_M, std_M = condition(rows.rows(known), t_N[known], at)(rows.rows(out))
            residual_N[out], std_N[out] = t_N[out] - mean_M, np.sqrt(std_M**2 + np.exp(at.noise))
        return residual_N, std_N

    def _hyperparameters(self, everything: Inputs, y_N: Values) -> Hyperparameters:
        size = len(y_N) if self.refit == "always" else milestone(len(y_N))
        rows, y_N = everything.rows(slice(size)), y_N[:size]
        digest = hashlib.sha256(b"".join(a.tobytes() for a in (rows.level_ND, rows.z_NK, y_N))).digest()
        if self._learnt is None or self._learnt[0] != digest:
            rows_M = spread_rows(y_N, self.learning_rows, best=0.0)
            self._learnt = digest, learn(rows.rows(rows_M), targets(y_N).t_N[rows_M], self.length)
        return self._learnt[1]


def surrogate(*, layout: Layout, rng: np.random.Generator, length: float = 1.0) -> Model:
    """The process as samplers use it: hyperparameters are learnt now and then and from all rows at once.

    It answers on the learning scale, and leaves what no candidate can resolve out of its uncertainty, which would make
    all candidates look equally worth trying.
    """
    return Model(
        layout=layout,
        rng=rng,
        refit="grown",
        rows=SURROGATE_ROWS,
        unit="target",
        length=length,
        intervals="shared",
        structure=0.0,
    )


def milestone(size: int) -> int:
    """The last of 1, 2, 3, ..., each the former times 17/16 rounded up, that is at most ``size``."""
    reached = following = 1
    while following <= size:
        reached, following = following, int(np.ceil(following * GROWTH - 1e-9))
    return reached
