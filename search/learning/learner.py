"""The predictor of a run, and how good it is: measured on trials it has not seen, with and without pretraining."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.model_selection import KFold

from predictors.protocol import Predictor
from search.learning import fitting
from search.learning.past import Past
from search.problem.problem import Observations, Problem
from spaces.sampling import uniform
from spaces.space import Codes

FOLDS = 4
MANY = 800
"""Observations beyond which one measurement by ``KNOWN`` of them says as much as folds of all, in seconds."""
KNOWN, HELD_OUT = 600, 1000
"""Of many observations: how many a predictor is fitted to, and at most predicts."""


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A predictor for a problem: pretrained once on free candidates, fitted whenever scores are known.

    Attributes:
        problem: space, costs and statistics.
        name: file in ``predictors``.
        pretrain: number of free candidates; 0 is no pretraining.
        seed: of the predictor.
        earlier: searches that the run started from; ``learn`` then starts from them, as the sampler does.
    """

    problem: Problem
    name: str
    pretrain: int
    seed: int
    earlier: Sequence[Observations] = ()

    @property
    def describe(self) -> str:
        """The predictor in a few words."""
        if not self.earlier:
            return f"predictor '{self.name}'"
        return f"predictor 'transfer' from {len(self.earlier)} earlier run{'s' if len(self.earlier) > 1 else ''}"

    @cached_property
    def _pretrained(self) -> Predictor:
        model = self._new()
        if self.pretrain:
            free_ND = uniform(self.problem.space, self.pretrain, np.random.default_rng([self.seed, 1]))
            fitting.pretrain(model, self.problem, free_ND)
        return model

    def _new(self) -> Predictor:
        return fitting.build(self.name, self.problem, np.random.default_rng([self.seed, 2]))

    def learn(self, observed: Observations) -> Predictor:
        """What beliefs and stage 2 rest on: ``fitted``, or where the run has a past the predictor that starts from it.

        With a past the predictor returned is fitted anew by the next call.
        """
        key = (observed.codes_ND.tobytes(), observed.score_N.tobytes())
        if key not in self._last:  # beliefs and stage 2 ask for the same
            self._last.clear()
            self._last[key] = self._past.fit(observed, unit="score") if self.earlier else self.fitted(observed)
        return self._last[key]

    @cached_property
    def _last(self) -> dict[tuple[bytes, bytes], Predictor]:
        return {}

    @cached_property
    def _past(self) -> Past:
        return Past(self.problem, self.earlier, self.seed)

    def fitted(self, observed: Observations, *, pretrained: bool = True) -> Predictor:
        """A predictor that knows these observations and no others."""
        model = copy.deepcopy(self._pretrained) if pretrained else self._new()
        fitting.fit(model, self.problem, observed)
        return model

    def believe(self, observed: Observations, codes_ND: Codes) -> Sequence[tuple[float, float]]:
        """Predicted mean and standard deviation of candidates, after fitting to the observations."""
        belief = fitting.predict(self.learn(observed), self.problem, codes_ND)
        return list(zip(belief.mean_N.tolist(), belief.std_N.tolist(), strict=True))

    def held_out_tau(self, observed: Observations, *, pretrained: bool = True) -> float:
        """Kendall tau between predicted and measured scores, each predicted from the other folds (4-fold).

        Of ``MANY`` observations and more, some that are drawn are predicted from ``KNOWN`` others. NaN with fewer than
        2 per fold.
        """
        count = len(observed.score_N)
        if count < 2 * FOLDS:
            return float("nan")
        held: list[NDArray[np.intp]] = []
        predicted: list[NDArray[np.float64]] = []
        for known_M, held_out_M in self._folds(count):
            part = Observations(codes_ND=observed.codes_ND[known_M], score_N=observed.score_N[known_M])
            model = self.fitted(part, pretrained=pretrained)
            predicted.append(fitting.predict(model, self.problem, observed.codes_ND[held_out_M]).mean_N)
            held.append(held_out_M)
        return float(kendalltau(np.concatenate(predicted), observed.score_N[np.concatenate(held)]).statistic)

    def _folds(self, count: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Rows that are known, and rows that are predicted from them."""
        if count < MANY:
            yield from KFold(n_splits=FOLDS, shuffle=True, random_state=self.seed).split(np.arange(count))
            return
        row_N = np.random.default_rng([self.seed, 3]).permutation(count)
        yield row_N[:KNOWN], row_N[KNOWN : KNOWN + HELD_OUT]
