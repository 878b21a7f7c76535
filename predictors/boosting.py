"""Gradient-boosted trees on columns and statistics (LightGBM, Ke et al., NIPS 2017), bagged for a spread."""

from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from predictors.parts.calibration import inflation, shared_spread
from predictors.parts.derived import derived
from predictors.parts.inputs import check_columns, check_scores
from predictors.parts.targets import targets
from predictors.protocol import Floats, Prediction
from spaces.encoding import Layout

NEEDS: tuple[str, ...] = ()

ROUNDS = 60
PARAMETERS: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 8,
    "min_data_in_leaf": 2,
    "min_data_in_bin": 1,
    "feature_fraction": 0.6,
    "lambda_l2": 0.1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "feature_pre_filter": False,
}


class Model:
    """A bag of boosted tree models, each on a bootstrap sample, on the targets of ``predictors.parts.targets``.

    The mean is the bag's; the spread is that of its members, widened until the rows that members left out lie within
    90 % intervals as often as they should.

    Args:
        layout: the columns of x_NF.
        rng: draws the bootstrap samples and the seeds of the trees, at construction: every ``fit`` uses the same.
        members: size of the bag.

    Raises:
        ValueError: fewer than two members.
    """

    def __init__(self, *, layout: Layout, rng: np.random.Generator, members: int = 10) -> None:
        if members < 2:
            raise ValueError(f"boosting: a bag needs at least 2 members, given {members}")
        self.layout = layout
        self._seeds_B = rng.integers(2**31 - 1, size=members)
        self._bag: list[lightgbm.Booster] = []

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Nothing to learn without scores: statistics are inputs here. The arrays are checked."""
        check_columns(self.layout, x_NF, s_NK)

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        y_N = check_scores(self.layout, x_NF, s_NK, y_N)
        order_N = np.lexsort((*np.asarray(x_NF).T, *np.asarray(s_NK).T, y_N))  # rows may come in any order
        rows_NC, self._statistics = self._rows(x_NF, s_NK)[order_N], s_NK.shape[1]
        self.targets = targets(y_N[order_N])
        t_N, count = self.targets.t_N, len(y_N)
        drawn_BN = np.stack([np.random.default_rng(seed).integers(count, size=count) for seed in self._seeds_B])
        self._bag = [_grow(rows_NC[d], t_N[d], int(s)) for d, s in zip(drawn_BN, self._seeds_B, strict=True)]
        self._calibrate(rows_NC, t_N, drawn_BN)

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        if not self._bag:
            raise RuntimeError("the predictor 'boosting' has no scores yet; call fit before predict")
        check_columns(self.layout, x_NF, s_NK, self._statistics)
        guess_BN = self._guesses(self._rows(x_NF, s_NK))
        std_N = self._inflation * np.sqrt(guess_BN.var(axis=0) + self._floor**2)
        return self.targets.prediction(guess_BN.mean(axis=0), std_N, 0.0)

    def _rows(self, x_NF: Floats, s_NK: Floats) -> NDArray[np.float64]:
        return np.concatenate([x_NF, s_NK, derived(self.layout, x_NF)], axis=1, dtype=np.float64)

    def _guesses(self, rows_NC: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([np.asarray(booster.predict(rows_NC, num_threads=1)) for booster in self._bag])

    def _calibrate(self, rows_NC: NDArray[np.float64], t_N: NDArray[np.float64], drawn_BN: NDArray[np.intp]) -> None:
        """Set the spread that all candidates share, and the inflation, from the rows that members have not seen."""
        unseen_BN = np.ones(drawn_BN.shape, dtype=bool)
        unseen_BN[np.arange(len(drawn_BN))[:, None], drawn_BN] = False
        often_N = unseen_BN.sum(axis=0)
        some_N = often_N > 0
        guess_BN = self._guesses(rows_NC)
        mean_N = np.where(unseen_BN, guess_BN, 0.0).sum(axis=0)[some_N] / often_N[some_N]
        residual_N = (t_N[some_N] - mean_N) if some_N.any() else np.zeros(0)
        self._floor = shared_spread(residual_N)
        spread_N = np.sqrt(guess_BN.var(axis=0)[some_N] + self._floor**2)
        self._inflation = inflation(residual_N, spread_N)


def _grow(rows_NC: NDArray[np.float64], t_N: NDArray[np.float64], seed: int) -> lightgbm.Booster:
    data = lightgbm.Dataset(rows_NC, label=t_N, params=PARAMETERS, free_raw_data=True)
    return lightgbm.train({**PARAMETERS, "seed": seed}, data, num_boost_round=ROUNDS)
