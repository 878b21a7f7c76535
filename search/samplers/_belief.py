"""What a predictor thinks of candidates, and what that is worth to each budget."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Predictor
from search.learning.fitting import predict
from search.problem.problem import Problem, bands_of
from spaces.space import Codes

Floats = NDArray[np.float64]

LEAST_WEIGHT = 0.1
"""A budget whose scores vary less than this share of the most varied budget's counts as if they varied that much."""

CREDIT = 0.3
"""A pending or just chosen candidate counts as an incumbent of its mean plus this many standard deviations."""


class Belief:
    """What the model thinks of some candidates, and which budgets they fit."""

    def __init__(self, codes_ND: Codes, mean_N: Floats, std_N: Floats, fits_KN: NDArray[np.bool_]) -> None:
        self.codes_ND, self.mean_N, self.std_N, self.fits_KN = codes_ND, mean_N, std_N, fits_KN

    @classmethod
    def of(cls, problem: Problem, model: Predictor, codes_ND: Codes) -> Self:
        if not len(codes_ND):
            return cls(codes_ND, np.zeros(0), np.zeros(0), np.zeros((len(problem.budgets), 0), dtype=bool))
        prediction = predict(model, problem, codes_ND)
        return cls(codes_ND, prediction.mean_N, prediction.std_N, problem.affordable(codes_ND))

    @property
    def band_N(self) -> NDArray[np.int64]:
        """Tightest budget that each candidate fits, shape (N,)."""
        return bands_of(self.fits_KN)

    def joined(self, other: "Belief") -> "Belief":
        return Belief(
            np.concatenate([self.codes_ND, other.codes_ND]),
            np.concatenate([self.mean_N, other.mean_N]),
            np.concatenate([self.std_N, other.std_N]),
            np.concatenate([self.fits_KN, other.fits_KN], axis=1),
        )

    def leaders(self, count: int) -> NDArray[np.intp]:
        """Rows of the ``count`` best means within every budget, without repeats."""
        ranked_KC = np.argsort(np.where(self.fits_KN, -self.mean_N[None, :], np.inf), axis=1, kind="stable")[:, :count]
        fits_KC = np.take_along_axis(self.fits_KN, ranked_KC, axis=1)
        return np.unique(ranked_KC[fits_KC])

    def credit(self, row: int, best_K: Floats) -> Floats:
        """The incumbents if this candidate turned out a little better than predicted (a kriging believer)."""
        believed = self.mean_N[row] + CREDIT * self.std_N[row]
        return np.where(self.fits_KN[:, row], np.maximum(best_K, believed), best_K)


def weights(field: Belief, known: Belief) -> Floats:
    """What a unit of score is worth to each budget: one over the distance from the median to the best candidate.

    A family is as good as its members are, each measured against what its own budget allows.
    """
    range_K = np.ones(len(field.fits_KN))
    for k, fits_N in enumerate(field.fits_KN):
        inside = field.mean_N[fits_N]
        if len(inside) > 1:
            best = max(inside.max(), known.mean_N[known.fits_KN[k]].max(initial=-np.inf))
            range_K[k] = best - np.median(inside)
    return 1.0 / np.maximum(range_K, max(LEAST_WEIGHT * range_K.max(), 1e-12))
