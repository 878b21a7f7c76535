"""The predictors that proposals come from, and which of them each proposal asks."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from predictors.protocol import Predictor
from search.learning import fitting
from search.learning.past import UNTRANSFERRED, Past, on_learning_scale
from search.problem.problem import Observations, Problem
from search.problem.supply import Supply
from spaces import components
from spaces.encoding import layout

Kind: TypeAlias = Literal["past", "smooth", "rough"]
KINDS: tuple[Kind, ...] = ("past", "smooth", "rough")

ROUGH = 3
"""Every so many proposals one comes from a surrogate that expects scores to change over short distances.

The most probable length scales of a few dozen trials carry a trend far into levels that nobody tried, and say that they
are sure of it: the search then keeps refining what it has. A second opinion costs nothing where the first is right.
"""

ROUGH_LENGTH = 0.2
"""Prior medians of the length scales of that surrogate, relative to the predictor's own."""

FREE = 2000
"""Untrained candidates from which scales are taken."""

SURROGATES = components.Kind(package="predictors", defines="surrogate")
"""Predictors that samplers use in another form than others do (``predictors.protocol``)."""


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
        Mistake: a predictor or an earlier search that cannot be used.
    """

    def __init__(
        self, problem: Problem, supply: Supply, *, name: str, seed: int, earlier: Sequence[Observations]
    ) -> None:
        self._problem, self._supply, self._seed = problem, supply, seed
        self._name, self._has_own_form = name, name in components.names(SURROGATES)
        fitting.check(name, problem)
        self._models: dict[Kind, Predictor] = {}
        self.past = Past(problem, earlier, seed) if earlier else None

    def shares(self, first: int, n: int) -> dict[Kind, int]:
        """How many of the proposals number ``first`` to ``first + n - 1`` come from each surrogate."""
        kinds = [self._kind(place) for place in range(first, first + n)]
        return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}

    def _kind(self, place: int) -> Kind:
        if self.past is not None and place % UNTRANSFERRED:
            return "past"
        return "rough" if self._has_own_form and place % ROUGH == ROUGH - 1 else "smooth"

    def fit(self, kind: Kind, observed: Observations) -> Predictor:
        """One of them, fitted to the observations; what the last call for this kind returned is fitted anew."""
        if kind == "past":
            assert self.past is not None
            return self.past.fit(observed)
        if kind not in self._models or not self._has_own_form:
            self._models[kind] = self._new(kind, len(observed.codes_ND))
            free_ND = self._supply.draw(FREE, np.random.default_rng(self._seed))
            fitting.pretrain(self._models[kind], self._problem, free_ND)
        model = self._models[kind]
        fitting.fit(model, self._problem, observed if self._has_own_form else on_learning_scale(observed))
        return model

    def _new(self, kind: Kind, trained: int) -> Predictor:
        rng = np.random.default_rng([self._seed, trained])
        if not self._has_own_form:
            return fitting.build(self._name, self._problem, rng)
        module = components.load(SURROGATES, self._name)
        length = ROUGH_LENGTH if kind == "rough" else 1.0
        model: Predictor = module.surrogate(layout=layout(self._problem.space), rng=rng, length=length)
        return model
