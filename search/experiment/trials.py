"""The trials of a study: added, handed out, and recorded as they end."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from search.executors.work import Job, Outcome
from search.problem.problem import Observations
from search.record.study import NewTrial, Purpose, Record, Study
from search.setting.setting import Setting
from search.stopping.at_work import Stopping
from search.stopping.ranks import stop_epoch
from spaces.space import Codes
from trainables.training.trial import Report


class Listener(Protocol):
    """Who wants to know what happens."""

    def reported(self, record: Record, report: Report) -> None:
        """An epoch has ended."""

    def ended(self, record: Record) -> None:
        """A trial has ended and is in the study."""


def training_seed(seed: int, number: int) -> int:
    """The seed of trial ``number``, the same whenever the trial is run."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


class Trials:
    """The trials of a study: adds new ones, hands them out, and records how they end."""

    def __init__(self, setting: Setting, study: Study, listener: Listener) -> None:
        self.setting, self.study, self._listener = setting, study, listener
        self.records = {record.number: record for record in study.records()}
        self._waiting = deque(record.number for record in self.records.values() if not record.is_finished)
        self._codes_D: dict[int, Codes] = {}
        by_regret = setting.config.search.stopping == "regret"
        self._stopping = Stopping(setting, list(self.records.values())) if by_regret else None

    def of(self, purpose: Purpose) -> list[Record]:
        """Records of a purpose, by number."""
        return [record for _, record in sorted(self.records.items()) if record.purpose == purpose]

    def add(
        self,
        codes_ND: Codes,
        *,
        purpose: Purpose,
        round_: int,
        stop: Callable[[int], int],
        predicted: Sequence[tuple[float, float] | None],
    ) -> None:
        """Record new trials; ``stop`` gives the last epoch of each by its number."""
        config = self.setting.config
        rows = zip(self.setting.space.decode(codes_ND), self.setting.statistics(codes_ND), predicted, strict=True)
        for candidate, statistics, belief in rows:
            number = len(self.records)
            record = self.study.add(
                NewTrial(
                    purpose=purpose,
                    round=round_,
                    candidate=candidate,
                    statistics=statistics,
                    epochs=config.search.epochs,
                    stop=stop(number),
                    seed=training_seed(config.seed, number),
                    predicted=belief,
                )
            )
            self.records[record.number] = record
            self._waiting.append(record.number)

    def next_waiting(self) -> Job | None:
        """Hand out the next recorded trial that has not ended."""
        if not self._waiting:
            return None
        record = self.records[self._waiting.popleft()]
        self.study.start(record.number)
        return record.job

    def reported(self, number: int, report: Report) -> bool:
        """Pass an epoch on; returns whether the trial goes on."""
        record = self.records[number]
        self._listener.reported(record, report)
        goes_on = self._stopping is None or self._stopping.goes_on(record, report)
        return goes_on and report.epoch < record.stop

    def ended(self, outcome: Outcome) -> None:
        """Record the end of a trial and drop its checkpoint, which nobody needs any more."""
        record = self.study.finish(outcome.number, outcome.reports, outcome.message)
        self.records[outcome.number] = record
        if self._stopping is not None:
            self._stopping.end(record)
        self.setting.place.checkpoint(outcome.number).delete()
        self._listener.ended(record)

    def codes(self, records: Sequence[Record]) -> Codes:
        """Codes of the records' candidates, shape (N, D); each trial is encoded once, as rounds ask for all again."""
        new = [record for record in records if record.number not in self._codes_D]
        encoded_ND = self.setting.space.encode([record.candidate for record in new])
        self._codes_D.update(zip((record.number for record in new), encoded_ND, strict=True))
        if not records:
            return encoded_ND
        return np.stack([self._codes_D[record.number] for record in records])

    def curves(self, records: Sequence[Record]) -> list[list[float]]:
        """Accuracies of the trials that were trained in full, shape (trials, epochs)."""
        full = self.setting.config.search.epochs
        return [[report.accuracy for report in record.reports] for record in records if len(record.reports) == full]

    def observations(self, records: Sequence[Record]) -> Observations:
        """What a predictor may learn from: the score of each ended trial.

        A failed trial counts as the worst that was seen: its candidate is known to be bad, not unknown.
        """
        ended = [record for record in records if record.is_finished]
        scores = self.scores(ended, records)
        worst = min((score for score in scores if score is not None), default=0.0)
        return Observations(
            codes_ND=self.codes(ended),
            score_N=np.array([worst if score is None else score for score in scores], dtype=float),
        )

    def scores(self, ended: Sequence[Record], known: Sequence[Record]) -> list[float | None]:
        """Accuracies of ended trials that can be compared with each other; None for a failed trial.

        Under the paper's rule those at the epoch that decides ranks, by what the trials ``known`` showed; under the
        regret rule those at the end of the schedule, which are forecast for the trials that were stopped.
        """
        stopping = self._stopping
        if stopping is not None:
            return [stopping.score(record) if record.message is None else None for record in ended]
        decisive = self.decisive_epoch(known)
        return [record.accuracy_at(decisive) if record.message is None else None for record in ended]

    def decisive_epoch(self, records: Sequence[Record]) -> int:
        """The epoch at which all candidates may be compared and stop, by what these trials showed.

        Under the regret rule there is none before the last: each candidate stops when its own time has come.
        """
        search = self.setting.config.search
        if self._stopping is not None:
            return search.epochs
        return stop_epoch(self.curves(records), search.epochs, search.rank_correlation, search.coefficient)
