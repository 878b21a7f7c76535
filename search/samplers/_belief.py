"""What a predictor thinks of candidates, and what that is worth to each budget."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Believing, Predictor
from search.learning.fitting import columns
from search.problem.problem import Problem, bands_of
from spaces.space import Codes

Floats = NDArray[np.float64]

LEAST_WEIGHT = 0.1
"""A budget whose scores vary less than this share of the most varied budget's counts as if they varied that much."""

CREDIT = 0.3
"""A pending or just chosen candidate counts as an incumbent of its mean plus this many standard deviations."""


class Belief:
    """What a model thinks of some candidates, from which columns, and which budgets they fit."""

    def __init__(
        self,
        codes_ND: Codes,
        columns: tuple[NDArray[np.float32], Floats],
        mean_N: Floats,
        std_N: Floats,
        fits_KN: NDArray[np.bool_],
    ) -> None:
        self.codes_ND, self.columns, self.mean_N, self.std_N, self.fits_KN = codes_ND, columns, mean_N, std_N, fits_KN

    @classmethod
    def of(cls, problem: Problem, model: Predictor, codes_ND: Codes) -> Self:
        seen, fits_KN = columns(problem, codes_ND), problem.affordable(codes_ND)
        if not len(codes_ND):
            return cls(codes_ND, seen, np.zeros(0), np.zeros(0), fits_KN)
        prediction = model.predict(*seen)
        return cls(codes_ND, seen, prediction.mean_N, prediction.std_N, fits_KN)

    @property
    def band_N(self) -> NDArray[np.int64]:
        """Tightest budget that each candidate fits, shape (N,)."""
        return bands_of(self.fits_KN)

    def joined(self, other: "Belief") -> "Belief":
        return Belief(
            np.concatenate([self.codes_ND, other.codes_ND]),
            (
                np.concatenate([self.columns[0], other.columns[0]]),
                np.concatenate([self.columns[1], other.columns[1]]),
            ),
            np.concatenate([self.mean_N, other.mean_N]),
            np.concatenate([self.std_N, other.std_N]),
            np.concatenate([self.fits_KN, other.fits_KN], axis=1),
        )

    def leaders(self, count: int) -> NDArray[np.intp]:
        """Rows of the ``count`` best means within every budget, without repeats."""
        ranked_KC = np.argsort(np.where(self.fits_KN, -self.mean_N[None, :], np.inf), axis=1, kind="stable")[:, :count]
        fits_KC = np.take_along_axis(self.fits_KN, ranked_KC, axis=1)
        return np.unique(ranked_KC[fits_KC])

    def believed(self, model: Predictor, rows: NDArray[np.intp]) -> Predictor:
        """The model if candidates had scored what it expects; itself where it cannot tell what it would know then."""
        if not len(rows) or not isinstance(model, Believing):
            return model
        return model.believing(*(column[rows] for column in self.columns))

    def look_again(self, model: Predictor, rows: NDArray[np.intp]) -> None:
        """Take a model's standard deviations of candidates in place of those of before."""
        self.std_N[rows] = model.predict(*(column[rows] for column in self.columns)).std_N

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
