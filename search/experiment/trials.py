"""The trials of a study: added, handed out, and recorded as they end."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from search.executors.work import Outcome
from search.problem.problem import Observations
from search.record.study import Study
from search.record.trial import Purpose, Trial, training_seed
from search.setting.setting import Setting
from search.stopping.at_work import Stopping
from search.stopping.ranks import stop_epoch
from spaces.candidate import Candidate
from spaces.space import Codes
from trainables.job import Job, Report


class Listener(Protocol):
    """Who wants to know what happens."""

    def reported(self, trial: Trial, report: Report) -> None:
        """An epoch has ended."""

    def ended(self, trial: Trial) -> None:
        """A trial has ended and is in the study."""


class Trials:
    """The trials of a study: adds new ones, hands them out, and records how they end.

    Attributes:
        by_number: every trial of the study.
        search: the configuration of stage 1.
        seed: of the run.
    """

    def __init__(self, setting: Setting, study: Study, listener: Listener) -> None:
        self.search, self.seed = setting.config.search, setting.config.seed
        self._space, self._statistics, self._place = setting.space, setting.statistics, setting.place
        self._study, self._listener = study, listener
        self.by_number = {trial.number: trial for trial in study.trials()}
        self._waiting = deque(trial.number for trial in self.by_number.values() if not trial.is_finished)
        self._stopping: Stopping | None = None
        if self.search.stopping == "regret":
            self._stopping = Stopping(setting.problem, self.search, self.seed, list(self.by_number.values()))

    def of(self, purpose: Purpose) -> list[Trial]:
        """Trials of a purpose, by number."""
        return [trial for _, trial in sorted(self.by_number.items()) if trial.purpose == purpose]

    def add(
        self,
        codes_ND: Codes,
        *,
        purpose: Purpose,
        round_: int,
        stop: Callable[[int], int],
        predicted: Sequence[tuple[float, float] | None],
        origins: Sequence[str | None] | None = None,
    ) -> None:
        """Record new trials; ``stop`` gives the last epoch of each by its number, ``origins`` its ``Trial.origin``."""
        origins = [None] * len(codes_ND) if origins is None else origins
        rows = zip(codes_ND, self._space.decode(codes_ND), self._statistics(codes_ND), predicted, origins, strict=True)
        for codes_D, candidate, counts, belief, origin in rows:
            number = len(self.by_number)
            self.by_number[number] = self._study.add(
                Trial(
                    number=number,
                    purpose=purpose,
                    round=round_,
                    candidate=candidate,
                    codes_D=codes_D,
                    statistics=counts,
                    epochs=self.search.epochs,
                    stop=stop(number),
                    seed=training_seed(self.seed, number),
                    predicted=belief,
                    origin=origin,
                )
            )
            self._waiting.append(number)

    def next_waiting(self) -> Job | None:
        """Hand out the next recorded trial that has not ended."""
        if not self._waiting:
            return None
        trial = self.by_number[self._waiting.popleft()]
        self._study.start(trial.number)
        return trial.job

    def reported(self, number: int, report: Report) -> bool:
        """Pass an epoch on; returns whether the trial goes on."""
        trial = self.by_number[number]
        self._listener.reported(trial, report)
        goes_on = self._stopping is None or self._stopping.goes_on(trial, report)
        return goes_on and report.epoch < trial.stop

    def ended(self, outcome: Outcome) -> None:
        """Record the end of a trial and drop its checkpoint, which nobody needs any more."""
        trial = self._study.finish(outcome.number, outcome.reports, outcome.message, outcome.trace)
        self.by_number[outcome.number] = trial
        if self._stopping is not None:
            self._stopping.end(trial)
        self._place.checkpoint(outcome.number).delete()
        self._listener.ended(trial)

    def encode(self, candidates: Sequence[Candidate]) -> Codes:
        """The candidates' rows of codes, shape (N, D)."""
        return self._space.encode(candidates)

    def codes(self, trials: Sequence[Trial]) -> Codes:
        """The trials' rows of codes, shape (N, D)."""
        rows = [trial.codes_D for trial in trials]
        return np.array(rows, dtype=np.int16).reshape(len(rows), len(self._space.dimensions))

    def curves(self, trials: Sequence[Trial]) -> list[list[float]]:
        """Accuracies of the trials that were trained in full, shape (trials, epochs)."""
        full = self.search.epochs
        return [[report.accuracy for report in trial.reports] for trial in trials if len(trial.reports) == full]

    def observations(self, trials: Sequence[Trial]) -> Observations:
        """What a predictor may learn from: the score of each ended trial.

        A failed trial counts as the worst that was seen: its candidate is known to be bad, not unknown.
        """
        ended = [trial for trial in trials if trial.is_finished]
        scores = self.scores(ended, trials)
        worst = min((score for score in scores if score is not None), default=0.0)
        return Observations(
            codes_ND=self.codes(ended),
            score_N=np.array([worst if score is None else score for score in scores], dtype=float),
        )

    def scores(self, ended: Sequence[Trial], known: Sequence[Trial]) -> list[float | None]:
        """Accuracies of ended trials that can be compared with each other; None for a failed trial.

        Under the paper's rule those at the epoch that decides ranks, by what the trials ``known`` showed, and at the
        last while all were trained in full; under the regret rule those at the end of the schedule, which are forecast
        for the trials that were stopped.
        """
        stopping = self._stopping
        if stopping is not None:
            return [stopping.score(trial) if trial.message is None else None for trial in ended]
        full = self.search.epochs
        in_full = all(len(trial.reports) == full for trial in ended if trial.message is None)
        epoch = full if in_full else self.decisive_epoch(known)
        return [trial.accuracy_at(epoch) if trial.message is None else None for trial in ended]

    def decisive_epoch(self, trials: Sequence[Trial]) -> int:
        """The epoch at which all candidates may be compared and stop, by what these trials showed.

        Under the regret rule there is none before the last: each candidate stops when its own time has come.
        """
        search = self.search
        if self._stopping is not None:
            return search.epochs
        return stop_epoch(self.curves(trials), search.epochs, search.rank_correlation, search.coefficient)
