"""From predictions to one pair for each budget: contenders, trained again with fresh seeds."""

import numpy as np
from numpy.typing import NDArray

from search.evolution.evolve import evolve
from search.executors.work import Job
from search.experiment.posterior import one_per_budget, posterior
from search.experiment.trials import Trials
from search.learning.learner import Learner
from search.problem.problem import Observations
from search.setting.setting import Setting
from spaces.candidate import Candidate
from spaces.codes import first_of_each
from spaces.encoding import encode
from spaces.space import Codes


def bands(setting: Setting, codes_ND: Codes) -> NDArray[np.int64]:
    """The tightest budget that each candidate fits, shape (N,): its position, or the number of budgets for none."""
    beyond_N: NDArray[np.int64] = (~setting.problem.affordable(codes_ND)).sum(axis=0)
    return beyond_N


def contenders(setting: Setting, learner: Learner, observed: Observations) -> Codes:
    """The pairs that may become members: the predictor's picks for each budget, and trained ones; shape (M, D).

    A budget's best pair may be so small that it wins the next budget too. The best trained pair that needs each budget
    is a contender as well, so that the family has a member for every budget.
    """
    config, problem = setting.config, setting.problem
    model = learner.learn(observed)
    best_first = np.argsort(-observed.score_N, kind="stable")
    picks = evolve(
        problem,
        model,
        budgets=problem.budgets,
        start_ND=observed.codes_ND[best_first[:64]],
        rng=np.random.default_rng([config.seed, 3]),
        confidence=config.family.confidence,
        per_budget=config.family.contenders,
    )
    believed_N = model.predict(encode(setting.space, observed.codes_ND), problem.statistics(observed.codes_ND)).mean_N
    band_N = bands(setting, observed.codes_ND)
    trained = [
        max(np.flatnonzero(band_N == band), key=lambda row: float(believed_N[row]))
        for band in range(len(problem.budgets))
        if (band_N == band).any()
    ]
    codes_MD = np.stack([*(pick.codes for pick in picks), *observed.codes_ND[trained]])
    return codes_MD[first_of_each(codes_MD)]


class Repeats:
    """Trains the contenders again with fresh seeds, so that no choice rests on one lucky run (the winner's curse)."""

    def __init__(self, trials: Trials, codes_MD: Codes) -> None:
        self._trials, self._codes = trials, np.repeat(codes_MD, trials.setting.config.family.repeats, axis=0)

    @property
    def total(self) -> int:
        return len(self._codes)

    def next_job(self) -> Job | None:
        """The next repeat; those that an earlier attempt recorded are not recorded again."""
        recorded = len(self._trials.of("repeat"))
        if recorded < self.total:
            search = self._trials.of("search")
            decisive, round_ = self._trials.decisive_epoch(search), search[-1].round + 1
            missing = self._codes[recorded:]
            self._trials.add(
                missing, purpose="repeat", round_=round_, stop=lambda _: decisive, predicted=[None] * len(missing)
            )
        return self._trials.next_waiting()


def choose(trials: Trials, learner: Learner, observed: Observations, codes_MD: Codes) -> list[Candidate]:
    """One contender for each budget, cheapest first: the best posterior among those that need the budget.

    Where none needs it, the best that fits and is not chosen yet. The prediction knows the trials of stage 1; the fresh
    runs are weighed against it (``posterior.py``).
    """
    setting = trials.setting
    belief = learner.learn(observed).predict(encode(setting.space, codes_MD), setting.problem.statistics(codes_MD))
    candidates = setting.space.decode(codes_MD)
    fresh = _fresh_scores(trials)
    mean_M, std_M = posterior(belief, [fresh.get(candidate.key, []) for candidate in candidates])
    value_M = mean_M - setting.config.family.confidence * std_M
    band_M, macs_M = bands(setting, codes_MD), setting.problem.costs(codes_MD)["macs"]
    chosen = one_per_budget(value_M, band_M, len(setting.problem.budgets))
    return [candidates[row] for row in sorted(chosen, key=lambda row: int(macs_M[row]))]


def _fresh_scores(trials: Trials) -> dict[str, list[float]]:
    """Accuracies of the repeats of each contender at the decisive epoch, by the candidate's key."""
    decisive = trials.decisive_epoch(trials.of("search"))
    fresh: dict[str, list[float]] = {}
    for record in trials.of("repeat"):
        score = record.accuracy_at(decisive) if record.message is None else None
        if score is not None:
            fresh.setdefault(record.candidate.key, []).append(score)
    return fresh
