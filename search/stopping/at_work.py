"""The regret rule at work in a study: it follows the trials of stage 1 and says which go on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.record.study import Record
from search.setting.setting import Setting
from search.stopping.regret import Ended, RegretRule
from spaces.encoding import encode
from spaces.space import Codes
from trainables.training.trial import Report


def audited(seed: int, number: int, share: float) -> bool:
    """Whether a trial is trained in full whatever the rule says; drawn by its number, so the same on every resume."""
    return bool(np.random.default_rng([seed, number]).random() < share)


class Stopping:
    """Ends the search's trials by their expected regret (``RegretRule``); trials for other purposes run in full.

    What is known of a trial before training is its encoded candidate and its free statistics. Its cost band is the
    tightest budget of the family that it fits.
    """

    def __init__(self, setting: Setting, records: Sequence[Record]) -> None:
        """Take up a study with these records, ended or not."""
        search = setting.config.search
        self._setting = setting
        self._rule = RegretRule(epochs=search.epochs, trials=search.trials, tolerance=search.regret)
        self._curves: dict[int, list[float]] = {}
        self._known: dict[int, tuple[NDArray[np.float64], int]] = {}
        self.learn([record for record in records if record.purpose == "search"])
        for record in records:
            self.end(record)

    def learn(self, records: Sequence[Record]) -> None:
        """Look up what is known of trials before training, all at once."""
        if not records:
            return
        codes_ND = self._setting.space.encode([record.candidate for record in records])
        bands = (~self._setting.problem.affordable(codes_ND)).sum(axis=0).tolist()
        traits = self._traits(codes_ND)
        for record, trait_C, band in zip(records, traits, bands, strict=True):
            self._known[record.number] = (trait_C, int(band))

    def _traits(self, codes_ND: Codes) -> NDArray[np.float64]:
        problem = self._setting.problem
        return np.concatenate([encode(problem.space, codes_ND), problem.statistics(codes_ND)], axis=1)

    def goes_on(self, record: Record, report: Report) -> bool:
        """Whether a running trial goes on after a report; a trial that was lost and taken up again repeats some."""
        curve = self._curves.setdefault(record.number, [])
        curve[report.epoch - 1 :] = [report.accuracy]
        config = self._setting.config
        if record.purpose != "search" or audited(config.seed, record.number, config.search.audited):
            return True
        if record.number not in self._known:
            self.learn([record])
        return self._rule.goes_on(curve, *self._known[record.number])

    def end(self, record: Record) -> None:
        """Learn from a trial of the search that has ended without failing."""
        self._curves.pop(record.number, None)
        if record.purpose != "search" or not record.is_finished or record.message is not None:
            return
        if record.number not in self._known:
            self.learn([record])
        trait_C, band = self._known[record.number]
        curve = tuple(report.accuracy for report in record.reports)
        self._rule.end(record.number, Ended(curve=curve, trait_C=trait_C, band=band))

    def score(self, record: Record) -> float:
        """Final accuracy of an ended trial that did not fail: measured, or forecast if it was stopped."""
        if record.purpose != "search":
            return record.reports[-1].accuracy
        return self._rule.finals([record.number])[0]
