"""From predictions to a few pairs for each budget: contenders, trained again with fresh seeds."""

import numpy as np

from search.evolution.evolve import STARTS, evolve
from search.experiment.posterior import best_of_each_budget, posterior
from search.experiment.trials import Trials
from search.learning.fitting import predict
from search.learning.learner import Learner
from search.problem.problem import Observations, Problem
from search.setting.sections.family import FamilySection
from spaces.candidate import Candidate
from spaces.codes import first_of_each
from spaces.space import Codes
from trainables.job import Job


def contenders(problem: Problem, family: FamilySection, seed: int, learner: Learner, observed: Observations) -> Codes:
    """The pairs that may become members: the predictor's picks for each budget, and trained ones; shape (M, D).

    A budget's best pair may be so small that it wins the next budget too. The best trained pair that needs each budget
    is a contender as well, so that the family has a member for every budget.
    """
    model = learner.learn(observed)
    picks = evolve(
        problem,
        model,
        budgets=problem.budgets,
        start_ND=observed.best(STARTS),
        rng=np.random.default_rng([seed, 3]),
        confidence=family.confidence,
        per_budget=family.contenders,
    )
    believed_N = predict(model, problem, observed.codes_ND).mean_N
    band_N = problem.bands(observed.codes_ND)
    trained = [
        max(np.flatnonzero(band_N == band), key=lambda row: float(believed_N[row]))
        for band in range(len(problem.budgets))
        if (band_N == band).any()
    ]
    codes_MD = np.stack([*(pick.codes for pick in picks), *observed.codes_ND[trained]])
    return codes_MD[first_of_each(codes_MD)]


class Repeats:
    """Trains the contenders again with fresh seeds, so that no choice rests on one lucky run (the winner's curse)."""

    def __init__(self, trials: Trials, codes_MD: Codes, repeats: int) -> None:
        self._trials, self._codes_RD = trials, np.repeat(codes_MD, repeats, axis=0)

    @property
    def total(self) -> int:
        return len(self._codes_RD)

    def next_job(self) -> Job | None:
        """The next repeat; those that an earlier attempt recorded are not recorded again."""
        recorded = len(self._trials.of("repeat"))
        if recorded < self.total:
            search = self._trials.of("search")
            decisive, round_ = self._trials.decisive_epoch(search), search[-1].round + 1
            missing_RD = self._codes_RD[recorded:]
            self._trials.add(
                missing_RD, purpose="repeat", round_=round_, stop=lambda _: decisive, predicted=[None] * len(missing_RD)
            )
        return self._trials.next_waiting()


def pick_finalists(
    problem: Problem, family: FamilySection, learner: Learner, observed: Observations, codes_MD: Codes, trials: Trials
) -> list[list[Candidate]]:
    """For each budget the contenders that begin the final training: those of the best posterior that need the budget.

    The prediction knows the trials of stage 1; fresh runs are weighed against it (``posterior.py``).
    """
    belief = predict(learner.learn(observed), problem, codes_MD)
    candidates = problem.space.decode(codes_MD)
    fresh = _fresh_scores(trials)
    mean_M, std_M = posterior(belief, [fresh.get(candidate.key, []) for candidate in candidates])
    rows = best_of_each_budget(
        mean_M - family.confidence * std_M, problem.bands(codes_MD), len(problem.budgets), family.finalists
    )
    return [[candidates[row] for row in of_budget] for of_budget in rows]


def _fresh_scores(trials: Trials) -> dict[str, list[float]]:
    """Accuracies of the repeats of each contender at the decisive epoch, by the candidate's key."""
    decisive = trials.decisive_epoch(trials.of("search"))
    fresh: dict[str, list[float]] = {}
    for trial in trials.of("repeat"):
        score = trial.accuracy_at(decisive) if trial.message is None else None
        if score is not None:
            fresh.setdefault(trial.candidate.key, []).append(score)
    return fresh
