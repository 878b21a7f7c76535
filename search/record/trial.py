"""A trial as the study holds it."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np

from spaces.candidate import Candidate
from spaces.space import Codes
from trainables.counting.counts import Statistics
from trainables.job import Job, Report

Purpose = Literal["search", "repeat"]
State = Literal["waiting", "running", "complete", "pruned", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial of the study.

    Attributes:
        number: of the trial.
        state: ``waiting``, ``running``, ``complete`` (trained in full), ``pruned`` (stopped early) or ``fail``.
        purpose: ``search`` for stage 1, ``repeat`` for a contender that is trained again with a fresh seed.
        round: of proposals, from 0.
        candidate: what was trained.
        codes_D: its row of codes; without columns where the study was opened without a space.
        statistics: its exact costs.
        epochs: length of its schedule.
        stop: epoch after which it was to stop.
        seed: of the training.
        origin: what people call the candidate where a sampler did not propose it: a reference, or a user's file.
        predicted: mean and standard deviation predicted when it was proposed, or None.
        reports: one an epoch.
        message: why it failed.
        trace: the last lines of the trace of the exception that it failed with; None where the message says it all.
        started: when it was first started.
        finished: when it ended.
    """

    number: int
    state: State = "waiting"
    purpose: Purpose
    round: int
    candidate: Candidate
    codes_D: Codes = field(compare=False, repr=False)
    statistics: Statistics
    epochs: int
    stop: int
    seed: int
    predicted: tuple[float, float] | None
    origin: str | None = None
    reports: tuple[Report, ...] = ()
    message: str | None = None
    trace: str | None = None
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def job(self) -> Job:
        """What a worker needs to know of it."""
        return Job(number=self.number, candidate=self.candidate, epochs=self.epochs, stop=self.stop, seed=self.seed)

    @property
    def is_finished(self) -> bool:
        return self.state in ("complete", "pruned", "fail")

    @property
    def score(self) -> float | None:
        """Accuracy after its last epoch; None without a report and for a failed trial."""
        return self.reports[-1].accuracy if self.reports and self.message is None else None

    @property
    def seconds(self) -> float:
        """Time spent training."""
        return self.reports[-1].seconds if self.reports else 0.0

    def accuracy_at(self, epoch: int) -> float | None:
        """Accuracy after ``epoch`` epochs, or after the last one if it stopped before; None without a report."""
        return self.reports[min(epoch, len(self.reports)) - 1].accuracy if self.reports else None


def training_seed(seed: int, number: int) -> int:
    """The seed of trial ``number``, the same whenever the trial is run."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def study_digest(trials: Iterable[Trial]) -> str:
    """SHA-256 over number, candidate and score of every trial: equal for two studies that found the same."""
    digest = hashlib.sha256()
    for trial in sorted(trials, key=lambda trial: trial.number):
        score = None if trial.score is None or math.isnan(trial.score) else trial.score
        digest.update(json.dumps([trial.number, trial.state, trial.candidate.to_dict(), score]).encode() + b"\n")
    return digest.hexdigest()
