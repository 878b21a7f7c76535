"""Optuna's own samplers behind ``propose``: peers in replays, and a choice in the configuration.

Where a budget bounds a cost, ``tpe``, ``gp`` and ``nsga2`` search two objectives, the score and the logarithm of that
cost, which is how Optuna can be asked for a family; otherwise, and for ``random`` and ``qmc``, the score alone. Hard
limits hold before training: a proposal outside them, or one that is already known, is handed back as failed, which
costs nothing, and the sampler is asked again, ``TRIES`` times; after that an unseen feasible candidate is drawn
uniformly.
"""

import warnings
from collections.abc import Callable

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState, create_trial

from search.problem.problem import Observations
from search.problem.supply import Supply
from search.samplers.protocol import Offer
from spaces.codes import hamming, row_keys, without
from spaces.dimensions import Dimension, is_ordinal
from spaces.space import INACTIVE, Codes

TWO_OBJECTIVES = ("tpe", "gp", "nsga2")
TRIES = 5


def _sampler(name: str, seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # qmc and gp are marked so; they are peers here
        makers: dict[str, Callable[[], BaseSampler]] = {
            "random": lambda: optuna.samplers.RandomSampler(seed=seed),
            "qmc": lambda: optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
            "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
            "gp": lambda: optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False),
            "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=seed, population_size=20),
        }
        return makers[name]()


def _distribution(dimension: Dimension) -> BaseDistribution:
    """Levels of an ordinal dimension as an integer, the rest as categories."""
    size = len(dimension.values)
    return IntDistribution(0, size - 1) if is_ordinal(dimension) else CategoricalDistribution(tuple(range(size)))


class OptunaSampler:
    """One of Optuna's samplers on a study in memory that mirrors the observations.

    Proposals are a function of the seed and of the sequence of calls so far; a new object that is given earlier
    observations continues them with a sampler that has just been seeded. When they draw at random and when they learn
    is Optuna's own affair: they have no use for the offer's ``initial``, ``batch`` and ``predictor``.

    Args:
        name: one of ``search.samplers.by_name.OPTUNA``.
        offer: what is searched, and the seed of Optuna's sampler and of the uniform draws.

    Raises:
        Mistake: earlier searches, which Optuna's samplers cannot use.
    """

    def __init__(self, name: str, offer: Offer) -> None:
        offer.refuse_earlier(name)
        self.problem, self.name, self.seed = offer.problem, name, offer.seed
        problem = offer.problem
        self._supply = Supply(problem)
        self._distributions = [_distribution(dimension) for dimension in problem.space.dimensions]
        bounded = [cost for budget in problem.budgets for cost in budget.bounds()]
        self._cost = bounded[0] if bounded and name in TWO_OBJECTIVES else None
        self._restart()

    def _restart(self) -> None:
        directions = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE][: 1 if self._cost is None else 2]
        self._study = optuna.create_study(directions=directions, sampler=_sampler(self.name, self.seed))
        self._told: list[bytes] = []
        self._open: dict[bytes, tuple[Trial, bool]] = {}
        self._rng = np.random.default_rng([self.seed, len(self.name)])

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        """``n`` candidates to train next, feasible and different from all known ones while there are such."""
        self._tell(observed)
        picks_ND = observed.codes_ND[:0]
        for _ in range(n):
            seen_ND = np.concatenate([observed.codes_ND, pending_ND, picks_ND])
            picks_ND = np.concatenate([picks_ND, self._ask(seen_ND)[None]])
        return picks_ND

    def _tell(self, observed: Observations) -> None:
        keys = row_keys(observed.codes_ND).tolist()
        if keys[: len(self._told)] != self._told:
            self._restart()
        new = slice(len(self._told), len(keys))
        if new.start == new.stop:
            return
        log_cost_N = np.zeros(len(keys))
        if self._cost is not None:
            log_cost_N[new] = np.log(self.problem.costs(observed.codes_ND[new])[self._cost])
        for row in range(new.start, new.stop):
            values = [float(observed.score_N[row])]
            values += [] if self._cost is None else [float(log_cost_N[row])]
            self._tell_one(keys[row], observed.codes_ND[row], values)
        self._told = keys

    def _tell_one(self, key: bytes, codes_D: Codes, values: list[float]) -> None:
        trial, exact = self._open.pop(key, (None, False))
        if trial is not None and exact:
            self._study.tell(trial, values)
            return
        attributes = {} if trial is None else dict(self._study._storage.get_trial_system_attrs(trial._trial_id))
        if trial is not None:
            self._study.tell(trial, state=TrialState.FAIL)
        active = [column for column, code in enumerate(codes_D) if code != INACTIVE]
        addresses = self.problem.space.addresses
        self._study.add_trial(
            create_trial(
                values=values,
                params={addresses[column]: int(codes_D[column]) for column in active},
                distributions={addresses[column]: self._distributions[column] for column in active},
                system_attrs=attributes,
            )
        )

    def _ask(self, seen_ND: Codes) -> Codes:
        seen = set(row_keys(seen_ND).tolist())
        for attempt in range(TRIES):
            trial = self._study.ask()
            codes_D = self._suggest(trial)
            actual_D = self._recorded(codes_D, seen_ND)
            key = row_keys(actual_D[None])[0]
            acceptable = key not in seen and bool(self.problem.feasible(actual_D[None])[0])
            if acceptable or attempt == TRIES - 1:
                if not acceptable:
                    actual_D = self._uniform(seen_ND)
                    key = row_keys(actual_D[None])[0]
                self._open[key] = (trial, bool((actual_D == codes_D).all()))
                return actual_D
            self._study.tell(trial, state=TrialState.FAIL)
        raise AssertionError("the last attempt always returns")

    def _suggest(self, trial: Trial) -> Codes:
        """Codes of one trial, dimension by dimension, so that conditions are seen the way Optuna expects."""
        space = self.problem.space
        codes_D = np.full(len(space.dimensions), INACTIVE, dtype=np.int16)
        for column, (address, distribution) in enumerate(zip(space.addresses, self._distributions, strict=True)):
            if space.should_be_active(codes_D[None])[0, column]:
                codes_D[column] = trial._suggest(address, distribution)
        return codes_D

    def _recorded(self, codes_D: Codes, seen_ND: Codes) -> Codes:
        """In a pool with gaps the nearest unseen member, else the candidate itself."""
        if self._supply.pool is None:
            return codes_D
        free_ND = without(self._supply.pool, seen_ND)
        pool_ND = free_ND if len(free_ND) else self._supply.pool
        distance_N = hamming(pool_ND, codes_D)
        nearest = np.flatnonzero(distance_N == distance_N.min())
        chosen_D: Codes = pool_ND[self._rng.choice(nearest)]
        return chosen_D

    def _uniform(self, seen_ND: Codes) -> Codes:
        """An unseen feasible candidate; any feasible one where all are seen."""
        drawn_ND = self._supply.draw(200, self._rng)
        new_ND = without(drawn_ND, seen_ND)
        if not len(new_ND) and self._supply.everything is not None:
            new_ND = without(self._supply.everything, seen_ND)
        chosen_D: Codes = new_ND[self._rng.integers(len(new_ND))] if len(new_ND) else drawn_ND[0]
        return chosen_D
