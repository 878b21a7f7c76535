"""The regret rule at work in a study: it follows the trials of stage 1 and says which go on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.problem.problem import Problem
from search.record.trial import Trial
from search.setting.sections.search import SearchSection
from search.stopping.regret import Ended, RegretRule
from spaces.encoding import encode
from trainables.job import Report


def audited(seed: int, number: int, share: float) -> bool:
    """Whether a trial is trained in full whatever the rule says; drawn by its number, so the same on every resume."""
    return bool(np.random.default_rng([seed, number]).random() < share)


class Stopping:
    """Ends the search's trials by their expected regret (``RegretRule``); trials for other purposes run in full.

    What is known of a trial before training is its encoded candidate and its free statistics. Its cost band is the
    tightest budget of the family that it fits.
    """

    def __init__(self, problem: Problem, search: SearchSection, seed: int, trials: Sequence[Trial]) -> None:
        """Take up a study with these trials, ended or not."""
        self._problem, self._seed, self._share = problem, seed, search.audited
        self._rule = RegretRule(epochs=search.epochs, trials=search.trials, tolerance=search.regret)
        self._curves: dict[int, list[float]] = {}
        self._known: dict[int, tuple[NDArray[np.float64], int]] = {}
        self._learn([trial for trial in trials if trial.purpose == "search"])
        for trial in trials:
            self.end(trial)

    def _learn(self, trials: Sequence[Trial]) -> None:
        """Look up what is known of trials before training, all at once."""
        if not trials:
            return
        codes_ND = np.stack([trial.codes_D for trial in trials])
        trait_NC = np.concatenate([encode(self._problem.space, codes_ND), self._problem.statistics(codes_ND)], axis=1)
        for trial, trait_C, band in zip(trials, trait_NC, self._problem.bands(codes_ND).tolist(), strict=True):
            self._known[trial.number] = (trait_C, band)

    def _known_of(self, trial: Trial) -> tuple[NDArray[np.float64], int]:
        """The trial's traits, shape (C,), and its cost band."""
        if trial.number not in self._known:
            self._learn([trial])
        return self._known[trial.number]

    def goes_on(self, trial: Trial, report: Report) -> bool:
        """Whether a running trial goes on after a report; a trial that was lost and taken up again repeats some."""
        curve = self._curves.setdefault(trial.number, [])
        curve[report.epoch - 1 :] = [report.accuracy]
        if trial.purpose != "search" or audited(self._seed, trial.number, self._share):
            return True
        return self._rule.goes_on(curve, *self._known_of(trial))

    def end(self, trial: Trial) -> None:
        """Learn from a trial of the search that has ended without failing."""
        self._curves.pop(trial.number, None)
        if trial.purpose != "search" or not trial.is_finished or trial.message is not None:
            return
        trait_C, band = self._known_of(trial)
        curve = tuple(report.accuracy for report in trial.reports)
        self._rule.end(trial.number, Ended(curve=curve, trait_C=trait_C, band=band))

    def score(self, trial: Trial) -> float:
        """Final accuracy of an ended trial that did not fail: measured, or forecast if it was stopped."""
        if trial.purpose != "search":
            return trial.reports[-1].accuracy
        return self._rule.finals([trial.number])[0]
