"""Earlier searches on the same space, as the prior mean of a new one."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from predictors import gp
from predictors.parts import transfer
from predictors.parts.targets import targets
from predictors.protocol import Predictor
from search.learning import fitting
from search.problem.problem import Observations, Problem
from search.problem.supply import Supply
from spaces.codes import distinct, hamming
from spaces.encoding import layout
from spaces.mistake import Mistake
from spaces.space import Codes

UNTRANSFERRED = 4
"""Every so many proposals one comes from the predictor that knows nothing of the past: 25 % of every batch."""

FIRST = 4
"""Candidates that the past alone chooses, before there are scores to correct it."""

SCREENED = 2000


def before_scores(initial: int, begun: int) -> int:
    """Of ``initial`` first candidates those before the first scores: ``begun`` by others, and the past's ``FIRST``."""
    return min(initial, begun + FIRST)


def on_learning_scale(observed: Observations) -> Observations:
    """The observations with the targets of their scores (``predictors.parts.targets``) in place of the scores."""
    return Observations(codes_ND=observed.codes_ND, score_N=targets(observed.score_N).t_N)


class Past:
    """Predictors of earlier searches, and the predictor that starts from them.

    Args:
        problem: the new search.
        earlier: what the earlier ones observed, as codes of the new search's space.
        seed: of the candidates from which scales are taken.

    Raises:
        Mistake: an earlier search has fewer than two observations, or candidates outside the space.
    """

    def __init__(self, problem: Problem, earlier: Sequence[Observations], seed: int) -> None:
        self.problem, self._seed = problem, seed
        for number, search in enumerate(earlier):
            if len(search.codes_ND) < 2 or not problem.space.contains(search.codes_ND).all():
                raise Mistake(
                    f"earlier search {number} needs at least two observations, all members of space "
                    f"'{problem.space.name}'; it has {len(search.codes_ND)}"
                )
        self._columns = layout(problem.space)
        self._earlier = [self._learn(search) for search in earlier]
        self._model: transfer.Model | None = None

    def _learn(self, search: Observations) -> Predictor:
        # only its means are used
        model = gp.Model(layout=self._columns, rng=np.random.default_rng(self._seed), intervals="shared")
        fitting.fit(model, self.problem, on_learning_scale(search))
        return model

    def fit(self, observed: Observations, unit: Literal["score", "target"] = "target") -> Predictor:
        """The predictor that starts from the past, fitted to the observations.

        Args:
            observed: at least one.
            unit: of its predictions: that of the scores, or the learning scale of ``predictors.parts.targets``.
        """
        if self._model is None:
            rng = np.random.default_rng(self._seed)
            free_ND = Supply(self.problem).draw(SCREENED, rng)
            self._model = transfer.Model(layout=self._columns, rng=rng, earlier=self._earlier)
            fitting.pretrain(self._model, self.problem, free_ND)
        fitting.fit(self._model, self.problem, observed if unit == "score" else on_learning_scale(observed))
        return self._model

    def best(self, supply: Supply, n: int, rng: np.random.Generator) -> Codes:
        """``n`` candidates that the earlier searches rank highest on average, for budgets from loosest to tightest."""
        drawn_ND = supply.draw(SCREENED, rng)
        best_ND = drawn_ND[np.argsort(-self._opinion(drawn_ND), kind="stable")[:5]]
        field_ND = distinct(np.concatenate([drawn_ND, supply.around(best_ND, rng)]))
        opinion_N, fits_KN = self._opinion(field_ND), self.problem.affordable(field_ND)
        picks: list[int] = []
        for budget in np.linspace(len(fits_KN) - 1, 0, n).round().astype(int):
            open_N = fits_KN[budget].copy()
            for pick in picks:
                open_N &= hamming(field_ND, field_ND[pick]) >= 2
            if open_N.any():
                picks.append(int(np.argmax(np.where(open_N, opinion_N, -np.inf))))
        return field_ND[picks]

    def _opinion(self, codes_ND: Codes) -> NDArray[np.float64]:
        """Mean over the earlier searches of the rank that their predictors give each candidate, shape (N,)."""
        x_NF, s_NK = fitting.columns(self.problem, codes_ND)
        opinion_N: NDArray[np.float64] = np.mean(
            [rankdata(predictor.predict(x_NF, s_NK).mean_N) for predictor in self._earlier], axis=0
        )
        return opinion_N
