"""A weighted mean of predictors; the weights come from how well each ranks rows that it has not seen."""

import itertools
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from predictors import boosting, gp, mlp
from predictors.parts.calibration import inflation
from predictors.parts.inputs import check_columns, check_scores
from predictors.parts.targets import Targets, targets
from predictors.protocol import Floats, Prediction, Predictor
from spaces.encoding import Layout

NEEDS: tuple[str, ...] = ()

MEMBERS: dict[str, Callable[..., Predictor]] = {
    "gp": partial(gp.Model, intervals="shared"),  # the blend judges its own intervals
    "boosting": boosting.Model,
    "mlp": mlp.Model,
}
PRIOR = {"gp": 0.8, "boosting": 0.1, "mlp": 0.1}
"""Weights before any score is known."""

TRUST = 20.0
"""How strongly the weights are drawn to the prior: the logarithm of the odds per squared distance."""

FOLDS = 5
GRID = 10
"""Weights are averaged over the multiples of 1 / GRID."""

Values = NDArray[np.float64]


class Model:
    """Blend of predictors on the targets of ``predictors.parts.targets``, with weights from left-out rows.

    Each member predicts every row from the folds that do not hold it (leave-one-out up to five rows). A vector of
    weights is as likely as the order of the scores is under the weighted mean of these predictions (probit of all
    pairs, counted as N observations); the weights used are their posterior mean over a grid.

    Args:
        layout: the columns of x_NF.
        rng: seeds the members, at construction.
        prior: weights before any score is known, by member: ``gp``, ``boosting``, ``mlp``; those left out take no part.

    Raises:
        ValueError: an unknown member, no member, or a weight that is not positive.
    """

    def __init__(self, *, layout: Layout, rng: np.random.Generator, prior: Mapping[str, float] | None = None) -> None:
        prior = PRIOR if prior is None else prior
        if not prior or set(prior) - set(MEMBERS) or min(prior.values()) <= 0:
            raise ValueError(f"blend: positive weights of members among {', '.join(MEMBERS)}, given {dict(prior)}")
        self.layout = layout
        self._prior_M = np.array(list(prior.values())) / sum(prior.values())
        self._members = [MEMBERS[name](layout=layout, rng=rng) for name in prior]
        self._fitted = False

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        for member in self._members:
            member.pretrain(x_NF, s_NK)

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        y_N = check_scores(self.layout, x_NF, s_NK, y_N)
        self._statistics = s_NK.shape[1]
        order_N = np.lexsort((*np.asarray(x_NF).T, *np.asarray(s_NK).T, y_N))  # rows may come in any order
        x_NF, s_NK, y_N = x_NF[order_N], s_NK[order_N], y_N[order_N]
        self.targets = targets(y_N)
        self.weights_M, self._inflation = self._prior_M, 1.0
        if len(y_N) > 2:
            mean_MN, std_MN = self._left_out(x_NF, s_NK, y_N)
            self.weights_M = likely_weights(mean_MN, self.targets.t_N, self._prior_M)
            mean_N, std_N = _mixture(mean_MN, std_MN, self.weights_M)
            self._inflation = inflation(self.targets.t_N - mean_N, std_N, few=0.0)
        for member in self._members:
            member.fit(x_NF, s_NK, y_N)
        self._fitted = True

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        if not self._fitted:
            raise RuntimeError("the predictor 'blend' has no scores yet; call fit before predict")
        check_columns(self.layout, x_NF, s_NK, self._statistics)
        parts = [member.predict(x_NF, s_NK) for member in self._members]
        mean_MN, std_MN = _beliefs(self.targets, parts)
        mean_N, std_N = _mixture(mean_MN, std_MN, self.weights_M)
        blended = self.targets.prediction(mean_N, self._inflation * std_N, 0.0)
        noise = float(self._inflation * (self.weights_M @ [part.noise_std for part in parts]))
        return Prediction(mean_N=blended.mean_N, std_N=blended.std_N, noise_std=noise)

    def _left_out(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> tuple[Values, Values]:
        """Mean and standard deviation (noise included) of each row's target from the other folds, both (M, N)."""
        fold_N = np.arange(len(y_N)) % min(FOLDS, len(y_N))
        mean_MN, std_MN = np.empty((len(self._members), len(y_N))), np.empty((len(self._members), len(y_N)))
        for fold, (m, member) in itertools.product(range(fold_N.max() + 1), enumerate(self._members)):
            out_N = fold_N == fold
            member.fit(x_NF[~out_N], s_NK[~out_N], y_N[~out_N])
            part = member.predict(x_NF[out_N], s_NK[out_N])
            noisy = Prediction(mean_N=part.mean_N, std_N=np.hypot(part.std_N, part.noise_std))
            mean_MN[m, out_N], std_MN[m, out_N] = self.targets.belief(noisy)
        return mean_MN, std_MN


def _beliefs(scale: Targets, parts: list[Prediction]) -> tuple[Values, Values]:
    means, stds = zip(*(scale.belief(part) for part in parts), strict=True)
    return np.stack(means), np.stack(stds)


def _mixture(mean_MN: Values, std_MN: Values, weights_M: Values) -> tuple[Values, Values]:
    """Mean and standard deviation of the mixture of Gaussians."""
    mean_N = weights_M @ mean_MN
    return mean_N, np.sqrt(weights_M @ (std_MN**2 + (mean_MN - mean_N) ** 2))


def rank_likelihood(mean_N: Values, t_N: Values) -> float:
    """Log-likelihood of the order of targets under noisy predictions: N times the mean over the pairs that differ.

    A pair is in order with probability Phi(difference / (sqrt 2 sigma)), sigma the root mean squared residual.
    """
    first, second = np.nonzero(t_N[:, None] > t_N[None, :])
    if not first.size:
        return 0.0
    sigma = np.sqrt(np.mean((t_N - mean_N) ** 2)) + 1e-9
    return float(len(t_N) * log_ndtr((mean_N[first] - mean_N[second]) / (np.sqrt(2.0) * sigma)).mean())


def likely_weights(mean_MN: Values, t_N: Values, prior_M: Values) -> Values:
    """Posterior mean of the weights over a grid of the simplex, given left-out predictions of targets."""
    rows = np.linspace(0, len(t_N) - 1, min(len(t_N), 300)).astype(np.intp)  # pairs grow as the square
    grid = [g for g in itertools.product(range(GRID + 1), repeat=len(prior_M)) if sum(g) == GRID]
    grid_GM = np.array([*grid, GRID * prior_M], dtype=np.float64) / GRID
    score_G = np.array([rank_likelihood(w_M @ mean_MN[:, rows], t_N[rows]) for w_M in grid_GM])
    score_G -= TRUST * ((grid_GM - prior_M) ** 2).sum(axis=1)
    odds_G = np.exp(score_G - score_G.max())
    weights_M: Values = odds_G @ grid_GM / odds_G.sum()
    return weights_M
