"""The predictors that proposals come from, and which of them each proposal asks."""

from collections.abc import Sequence
from inspect import signature
from typing import Any, Literal, TypeAlias

import numpy as np

from predictors.parts.targets import targets
from predictors.protocol import Predictor
from search.learning.past import UNTRANSFERRED, Past
from search.problem.problem import Observations, Problem
from search.problem.supply import Supply
from spaces import components
from spaces.encoding import encode, layout

Kind: TypeAlias = Literal["past", "smooth", "rough"]
KINDS: tuple[Kind, ...] = ("past", "smooth", "rough")

ROUGH = 3
"""Every so many proposals one comes from a surrogate that expects scores to change over short distances.

The most probable length scales of a few dozen trials carry a trend far into levels that nobody tried, and say that they
are sure of it: the search then keeps refining what it has. A second opinion costs nothing where the first is right.
"""

ROUGH_LENGTH = 0.2
"""Prior medians of the length scales of that surrogate, relative to the predictor's own."""

MOST = 300
"""Observations that the Gaussian process conditions on; of more, the best and a spread of the rest. Bounds the time and
the memory of a proposal, however long the search is."""

FREE = 2000
"""Untrained candidates from which scales are taken."""

OPTIONS: dict[str, Any] = {
    "refit": "grown",
    "rows": MOST,
    "unit": "target",
    "intervals": "shared",
    "structure": 0.0,
}
"""What a surrogate of proposals is told, as far as the predictor has such an option: to learn hyperparameters now and
then and from all rows at once, to bound its time, to answer on the learning scale, and to leave what no candidate can
resolve out of its uncertainty, which would make all candidates look equally worth trying."""


class Surrogates:
    """Fitted predictors of a search.

    Improvements add up over budgets, so they need one unit: on a metric with a long tail a unit of score would mean
    much more at the cheap end, where spreads are widest, and most trials would go there. All predictions are therefore
    on the learning scale of ``predictors.parts.targets``.

    Args:
        problem: what is searched.
        supply: its candidates.
        name: file in ``predictors``.
        seed: of the predictors.
        earlier: searches on this space.

    Raises:
        UnknownComponent: no predictor has this name.
        Mistake: an earlier search that cannot be used.
    """

    def __init__(
        self, problem: Problem, supply: Supply, *, name: str, seed: int, earlier: Sequence[Observations]
    ) -> None:
        self._problem, self._supply, self._seed = problem, supply, seed
        self._model = components.load(components.PREDICTORS, name).Model
        self._known = set(signature(self._model).parameters)
        self._made: dict[Kind, Predictor] = {}
        self.past = Past(problem, earlier, seed) if earlier else None

    def shares(self, first: int, n: int) -> dict[Kind, int]:
        """How many of the proposals number ``first`` to ``first + n - 1`` come from each surrogate."""
        kinds = [self._kind(place) for place in range(first, first + n)]
        return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}

    def _kind(self, place: int) -> Kind:
        if self.past is not None and place % UNTRANSFERRED:
            return "past"
        return "rough" if "length" in self._known and place % ROUGH == ROUGH - 1 else "smooth"

    def fit(self, kind: Kind, observed: Observations) -> Predictor:
        """One of them, fitted to the observations; what the last call for this kind returned is fitted anew."""
        if kind == "past":
            assert self.past is not None
            return self.past.fit(observed)
        if kind not in self._made or "refit" not in self._known:
            self._made[kind] = self._pretrained(kind, len(observed.codes_ND))
        model, space = self._made[kind], self._problem.space
        # a predictor that answers on the learning scale takes scores as they are, from as many as it learns from
        score_N = observed.score_N if "unit" in self._known else targets(observed.score_N).t_N
        model.fit(encode(space, observed.codes_ND), self._problem.statistics(observed.codes_ND), score_N)
        return model

    def _pretrained(self, kind: Kind, trained: int) -> Predictor:
        options = {key: value for key, value in OPTIONS.items() if key in self._known}
        options |= {"length": ROUGH_LENGTH} if kind == "rough" else {}
        rng = np.random.default_rng([self._seed, trained])
        model: Predictor = self._model(layout=layout(self._problem.space), rng=rng, **options)
        free_ND = self._supply.draw(FREE, np.random.default_rng(self._seed))
        model.pretrain(encode(self._problem.space, free_ND), self._problem.statistics(free_ND))
        return model
