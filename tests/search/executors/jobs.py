"""Small trials for every executor."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from search.executors.work import Job, Outcome, Workplace
from spaces import tiny
from spaces.candidate import Candidate
from spaces.sampling import uniform
from trainables.training.trial import Report

SPACE = tiny.space().restrict({"architecture.resolution": [8], "architecture.stem_stride": [2]})
EPOCHS = 2


def place(folder: Path, **changes: Any) -> Workplace:
    return Workplace(source="digits", keywords={}, folder=folder, **changes)


def jobs(count: int = 4) -> list[Job]:
    candidates = SPACE.decode(uniform(SPACE, count, np.random.default_rng(0)))
    return [Job(number=i, candidate=c, epochs=EPOCHS, stop=EPOCHS, seed=i) for i, c in enumerate(candidates)]


def hopeless(job: Job) -> Job:
    """The job with a learning rate under which the loss is not finite."""
    wild = job.candidate.to_dict()
    name = wild["recipe"]["optimizer.name"]
    wild["recipe"][f"optimizer.learning_rate.{name}"] = 1e30
    return Job(number=job.number, candidate=Candidate.from_dict(wild), epochs=EPOCHS, stop=EPOCHS, seed=job.seed)


@dataclass
class Heard:
    """What an executor told; ends trial ``ended_early`` after its first epoch."""

    ended_early: int | None = None
    reports: list[tuple[int, Report]] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def report(self, number: int, report: Report) -> bool:
        self.reports.append((number, report))
        return number != self.ended_early

    def outcome(self, outcome: Outcome) -> None:
        assert outcome.number not in self.outcomes, "a trial ended twice"
        self.outcomes[outcome.number] = outcome

    @property
    def curves(self) -> dict[int, list[tuple[int, float, float]]]:
        """Epoch, accuracy and loss of each trial's reports."""
        return {n: [(r.epoch, r.accuracy, r.loss) for r in o.reports] for n, o in sorted(self.outcomes.items())}


def carry_out(executor: Any, given: Sequence[Job], ended_early: int | None = None, heard: Heard | None = None) -> Heard:
    heard, left = heard or Heard(ended_early), iter(given)
    executor.run(lambda: next(left, None), heard.report, heard.outcome)
    return heard
