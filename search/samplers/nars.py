"""Our sampler: one surrogate for all budgets, exact costs, expected improvement summed over the family."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from predictors.protocol import Predictor
from search.learning.past import before_scores
from search.problem.limits import Costs, Limits
from search.problem.problem import Observations, best_per_budget
from search.problem.supply import Supply
from search.samplers import _acquisition as acquisition
from search.samplers._belief import Belief, weights
from search.samplers._optuna_script import Script
from search.samplers._plain_optuna import Bridge, check_declared, space_of
from search.samplers._start import DRAWN_FOR_BUDGET, opening, stratified
from search.samplers._surrogates import Surrogates
from search.samplers.protocol import Offer
from spaces.codes import distinct, row_keys, without
from spaces.mistake import Mistake
from spaces.space import Codes, Condition

Floats = NDArray[np.float64]

TRANSFERS = True

INITIAL = 10
"""Candidates before the first model, where the offer leaves them to the sampler."""

PREDICTOR = "gp"

CONTENDERS = 300
"""Observed candidates that may be incumbents; of more, those that scored best within each budget. Bounds the time of a
proposal, however long the search is."""

SCREENED = 2000
"""Uniform candidates that are scored for each proposal, beside the neighbourhoods of the incumbents."""

CLIMBS = 8
"""Most steps of the climb on the acquisition; it ends where no neighbour of the best is new."""

CLIMBERS = 2
"""Candidates of each budget that a step of the climb starts from."""

LOOKED_AT = 100
"""Candidates of each budget that are looked at again together once another was chosen."""


class Sampler(BaseSampler):
    """Proposes what to train next for all budgets at once; ``propose`` for NARS, the optuna methods for plain scripts.

    ``propose`` is a pure function of the observations, the pending candidates and the seed, so that resuming a search
    is replaying it. The method: a predictor of the score (a Gaussian process by default; every third proposal comes
    from one that expects rougher scores, ``search.samplers._surrogates``); the expected improvement of each budget's
    incumbent, taken from the posterior so that one lucky seed does not stop the search, summed over the
    budgets that the candidate fits (``search.samplers._acquisition``); pending candidates, and those chosen before in
    the same round, are believed to score as predicted, so that what they will tell is not asked twice.

    Args:
        offer: what is searched, the seed, and optionally ``predictor`` (``gp``), ``initial`` (10 candidates before the
            first model, one from each stratum of the cost) and ``earlier`` searches, at least two trials each: their
            predictors become the prior mean and choose the first candidates in place of the strata. Every fourth
            proposal comes from the predictor without them, so that a misleading past does no lasting harm. It proposes
            the same whatever ``batch`` is.
        distance: dimensions in which candidates of one batch differ at least, while there are such candidates.

    Raises:
        Mistake: ``distance`` is below 1, no predictor has this name, or an earlier search cannot be used.
    """

    def __init__(self, offer: Offer, *, distance: int = 2) -> None:
        if distance < 1:
            raise Mistake(f"distance is at least 1, given {distance}")
        self.problem, self.seed, self.distance = offer.problem, offer.seed, distance
        initial = offer.initial or INITIAL
        self.initial = before_scores(initial, offer.begun) if offer.earlier else initial
        self._supply = Supply(offer.problem)
        self._surrogates = Surrogates(
            offer.problem,
            self._supply,
            name=offer.predictor or PREDICTOR,
            seed=offer.seed,
            earlier=offer.earlier,
        )
        self._script = Script(Bridge.of_space(offer.problem.space), offer.problem, offer.seed)

    # proposing -------------------------------------------------------------------------------------------------------

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        """``n`` candidates to train next, feasible and different from all observed and pending ones, shape (n, D).

        Only when no other feasible candidate was found (a small space, searched to its end) are candidates repeated.
        """
        rng = np.random.default_rng([self.seed, len(observed.codes_ND), len(pending_ND)])
        seen_ND = np.concatenate([observed.codes_ND, pending_ND])
        picks_ND = self._opening(seen_ND, n)
        missing = n - len(picks_ND)
        if missing and len(observed.codes_ND) >= 2:
            waiting_ND = np.concatenate([pending_ND, picks_ND])
            picks_ND = np.concatenate([picks_ND, self._improving(observed, waiting_ND, missing, rng)])
        elif missing:
            picks_ND = np.concatenate([picks_ND, self._fresh(np.concatenate([seen_ND, picks_ND]), missing, rng)])
        return picks_ND

    def _opening(self, seen_ND: Codes, n: int) -> Codes:
        """What is left of the first candidates, at most ``n``."""
        if len(seen_ND) >= self.initial:
            return seen_ND[:0]
        rng, past = np.random.default_rng([self.seed]), self._surrogates.past
        first_ND = (
            opening(self._supply, self.initial, rng) if past is None else past.best(self._supply, self.initial, rng)
        )
        return without(first_ND, seen_ND)[: min(n, self.initial - len(seen_ND))]

    def _fresh(self, seen_ND: Codes, n: int, rng: np.random.Generator) -> Codes:
        """Unseen candidates, spread over the costs; repeated ones where there are none left."""
        new_ND = without(stratified(self._supply, n, rng, avoid_ND=seen_ND), seen_ND)
        if len(new_ND) == n:
            return new_ND
        more_ND = without(self._unseen(np.concatenate([seen_ND, new_ND]), rng), new_ND)
        new_ND = np.concatenate([new_ND, more_ND])[:n]
        again_ND = self._supply.draw(SCREENED, rng)
        repeats = again_ND[np.arange(n - len(new_ND)) % len(again_ND)]
        return np.concatenate([new_ND, repeats])

    def _unseen(self, seen_ND: Codes, rng: np.random.Generator) -> Codes:
        listed = self._supply.everything
        return without(self._supply.draw(SCREENED, rng) if listed is None else listed, seen_ND)

    def _improving(self, observed: Observations, waiting_ND: Codes, n: int, rng: np.random.Generator) -> Codes:
        """``n`` candidates by the family's expected improvement, each by the surrogate whose turn it is."""
        picks_ND, drawn_ND = waiting_ND[:0], self._drawn(rng)
        for kind, share in self._surrogates.shares(len(observed.codes_ND) + len(waiting_ND), n).items():
            believed_ND = np.concatenate([waiting_ND, picks_ND])
            model = self._surrogates.fit(kind, observed)
            picks_ND = np.concatenate([picks_ND, self._greedy(model, observed, believed_ND, share, drawn_ND, rng)])
        return picks_ND

    def _drawn(self, rng: np.random.Generator) -> Codes:
        """Candidates that are uniform over the space and within each budget; all of them where they are few."""
        listed = self._supply.everything
        if listed is not None and len(listed) <= 2 * SCREENED:
            return listed
        within_ND = self._supply.draw_within_budgets(DRAWN_FOR_BUDGET, rng)
        return distinct(np.concatenate([self._supply.draw(SCREENED, rng), within_ND]))

    def _greedy(
        self,
        model: Predictor,
        observed: Observations,
        waiting_ND: Codes,
        n: int,
        drawn_ND: Codes,
        rng: np.random.Generator,
    ) -> Codes:
        """``n`` candidates by one model, one after the other, each believed once chosen."""
        seen_ND = np.concatenate([observed.codes_ND, waiting_ND])
        waiting = Belief.of(self.problem, model, waiting_ND)
        model = waiting.believed(model, np.arange(len(waiting_ND)))
        known = Belief.of(self.problem, model, distinct(np.concatenate([self._contenders(observed), waiting_ND])))
        field = self._field(model, known, seen_ND, drawn_ND, rng)
        if len(field.codes_ND) < n:
            return self._fresh(seen_ND, n, rng)
        best_K = acquisition.incumbents(known.mean_N, known.fits_KN, field.mean_N, field.fits_KN)
        weight_K = weights(field, known)
        for row in range(len(waiting_ND)):
            best_K = waiting.credit(row, best_K)
        proposed_K = self._proposed(observed, waiting_ND)
        chosen: list[int] = []
        apart: list[Codes] = list(waiting_ND)
        current_N = np.ones(len(field.codes_ND), dtype=bool)
        for _ in range(n):
            if chosen:
                model = field.believed(model, np.array(chosen[-1:]))
                current_N[:] = False
            allowed_N = acquisition.diverse(field.codes_ND, apart, self.distance)
            allowed_N[chosen] = False
            if not allowed_N.any():
                allowed_N[:] = True
                allowed_N[chosen] = False
            gain_N = self._gains(model, field, allowed_N, current_N, best_K, weight_K)
            band = acquisition.whose_turn(gain_N, field.band_N, proposed_K)
            pick = int(np.argmax(np.where(field.band_N == band, gain_N, -np.inf)))
            chosen.append(pick)
            apart.append(field.codes_ND[pick])
            proposed_K[band] += 1
            best_K = field.credit(pick, best_K)
        return field.codes_ND[chosen]

    @staticmethod
    def _gains(
        model: Predictor,
        field: Belief,
        allowed_N: NDArray[np.bool_],
        current_N: NDArray[np.bool_],
        best_K: Floats,
        weight_K: Floats,
    ) -> Floats:
        """Logarithm of the improvement by each allowed candidate, exact for the best of every band.

        A chosen candidate makes what is believed of others surer, never less sure: improvements of before bound those
        of now, and only those at the top are looked at again. ``current_N`` says which were.
        """

        def gains(rows: NDArray[np.intp]) -> Floats:
            believed = field.mean_N[rows], field.std_N[rows], field.fits_KN[:, rows]
            return acquisition.family_improvement(*believed, best_K, weight_K)

        gain_N = np.where(allowed_N, gains(np.arange(len(allowed_N))), -np.inf)
        while True:
            top = acquisition.best_of_bands(gain_N, field.band_N, LOOKED_AT)
            _, first = np.unique(field.band_N[top], return_index=True)
            if current_N[top[first]].all():
                return gain_N
            rows = top[~current_N[top]]
            field.look_again(model, rows)
            current_N[rows] = True
            gain_N[rows] = gains(rows)

    def _proposed(self, observed: Observations, waiting_ND: Codes) -> NDArray[np.int64]:
        """Proposals by the model so far in each budget's band, shape (K,)."""
        later_ND = np.concatenate([observed.codes_ND, waiting_ND])[self.initial :]
        counts: NDArray[np.int64] = np.bincount(self.problem.bands(later_ND), minlength=len(self.problem.budgets))
        return counts[: len(self.problem.budgets)]

    def _contenders(self, observed: Observations) -> Codes:
        """The observed candidates that may be incumbents: all, or of many those that scored best within each budget."""
        if len(observed.codes_ND) <= CONTENDERS:
            return observed.codes_ND
        fits_KN = self.problem.affordable(observed.codes_ND)
        count = CONTENDERS // len(fits_KN)
        order_KN = np.argsort(np.where(fits_KN, -observed.score_N, np.inf), axis=1, kind="stable")[:, :count]
        return observed.codes_ND[np.unique(order_KN)]

    def recommend(self, observed: Observations) -> list[int | None]:
        """Row of the observation to keep for each budget: the best posterior mean; None where nothing fits.

        The best single score is often a lucky one; the posterior mean weighs it against what its neighbours scored.

        Raises:
            ValueError: fewer than two observations.
        """
        if len(observed.codes_ND) < 2:
            raise ValueError(f"a recommendation needs at least two observations, given {len(observed.codes_ND)}")
        belief = Belief.of(self.problem, self._surrogates.fit("smooth", observed), observed.codes_ND)
        return best_per_budget(self.problem, observed.codes_ND, belief.mean_N)

    def _field(
        self, model: Predictor, known: Belief, seen_ND: Codes, drawn_ND: Codes, rng: np.random.Generator
    ) -> Belief:
        """Unseen candidates worth comparing: drawn ones, those around the incumbents, climbs from the best."""
        if drawn_ND is self._supply.everything:
            return Belief.of(self.problem, model, without(drawn_ND, seen_ND))
        around_ND = self._supply.around(distinct(known.codes_ND[known.leaders(2)]), rng)
        field = Belief.of(self.problem, model, without(distinct(np.concatenate([drawn_ND, around_ND])), seen_ND))
        best_K = acquisition.incumbents(known.mean_N, known.fits_KN, field.mean_N, field.fits_KN)
        return self._climbed(model, field, best_K, weights(field, known), seen_ND, rng)

    def _climbed(
        self,
        model: Predictor,
        field: Belief,
        best_K: Floats,
        weight_K: Floats,
        seen_ND: Codes,
        rng: np.random.Generator,
    ) -> Belief:
        """The field with the surroundings of its best candidates of each budget, then of the best among those, ..."""
        left_ND, gain_N = seen_ND[:0], np.zeros(0)
        met = set(row_keys(np.concatenate([seen_ND, field.codes_ND])).tolist())
        for _ in range(CLIMBS):
            added = slice(len(gain_N), None)  # what was gained by those before does not change
            mean_A, std_A, fits_KA = field.mean_N[added], field.std_N[added], field.fits_KN[:, added]
            gain_A = acquisition.family_improvement(mean_A, std_A, fits_KA, best_K, weight_K)
            gain_N = np.concatenate([gain_N, gain_A])
            top_ND = without(field.codes_ND[acquisition.best_of_bands(gain_N, field.band_N, CLIMBERS)], left_ND)
            near_ND = distinct(self._supply.around(top_ND, rng, pairs=8))
            keys = row_keys(near_ND).tolist()
            new_ND = near_ND[[row for row, key in enumerate(keys) if key not in met]]
            if not len(new_ND):
                break
            met.update(keys)
            left_ND = np.concatenate([left_ND, top_ND])
            field = field.joined(Belief.of(self.problem, model, new_ND))
        return field

    # optuna ----------------------------------------------------------------------------------------------------------

    @classmethod
    def for_optuna(
        cls,
        distributions: Mapping[str, BaseDistribution],
        *,
        roles: Mapping[str, str],
        costs: Callable[[Mapping[str, NDArray[Any]]], Costs] | None = None,
        limits: Limits | None = None,
        budgets: Sequence[Limits] = (),
        conditions: Mapping[str, Condition] | None = None,
        seed: int,
        surrogate: str = PREDICTOR,
        start: int = INITIAL,
        distance: int = 2,
    ) -> Self:
        """The sampler of a plain Optuna script.

        Args:
            distributions: every parameter that the objective suggests, as Optuna describes it. Real parameters and long
                integer ranges become grids (``search.samplers._plain_optuna.space_of``).
            roles: ``architecture`` or ``recipe`` for each parameter.
            costs: from value arrays by parameter name to cost arrays by name (``macs``, ``params``, ``activations``,
                ``latency_ms``), shape (N,); exact and free. Without it no limits can be given. An inactive parameter
                shows its first value.
            limits: no candidate outside them is proposed; by default those of the last budget.
            budgets: limits of each member of the family, tightest first; by default one member, under ``limits``.
            conditions: parameters that are suggested only for some values of another, which stands before them.
            seed: of every random choice.
            surrogate: the predictor, a file name in ``predictors``.
            start: candidates before the first model.
            distance: as above.

        Raises:
            ValueError: a parameter without a role, limits without costs, costs that are no numbers, or an argument
                outside its range.
        """
        check_declared(distributions, roles, conditions or {}, budgets, seed)
        bridge = space_of(distributions, roles, conditions or {})
        problem = bridge.problem(costs, limits, tuple(budgets))
        sampler = cls(Offer(problem=problem, seed=seed, initial=start, predictor=surrogate), distance=distance)
        sampler._script = Script(bridge, problem, seed)
        return sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(self._script.bridge.distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._script.params(self.propose, study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        declared = self._script.bridge.distributions
        problem = (
            f"is declared as {declared[param_name]} and is suggested as {param_distribution}, or its condition is off"
            if param_name in declared
            else f"is not declared; the declared ones are {', '.join(declared)}"
        )
        raise ValueError(f"parameter '{param_name}' {problem}")
