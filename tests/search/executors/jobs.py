"""Small trials for every executor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from search.executors.work import Failure, Outcome, Workplace
from spaces import tiny
from spaces.candidate import Candidate
from spaces.dimensions import Value
from spaces.sampling import uniform
from trainables.final.jobs import FinalJob
from trainables.job import Job, Report

SPACE = tiny.space().restrict({"architecture.resolution": [8], "architecture.stem_stride": [2]})
EPOCHS = 2


def place(folder: Path, **changes: Any) -> Workplace:
    return Workplace(**{"source": "digits", "keywords": {}, "folder": folder, **changes})


def jobs(count: int = 4) -> list[Job]:
    candidates = SPACE.decode(uniform(SPACE, count, np.random.default_rng(0)))
    return [Job(number=i, candidate=c, epochs=EPOCHS, stop=EPOCHS, seed=i) for i, c in enumerate(candidates)]


def hopeless(job: Job) -> Job:
    """The job with a learning rate under which the loss is not finite."""
    name = job.candidate.recipe["optimizer.name"]
    return with_recipe(job, {f"optimizer.learning_rate.{name}": 1e30})


def raising(job: Job) -> Job:
    """The job with a value under which an ingredient raises a ValueError as soon as it meets a batch."""
    return with_recipe(job, {"mixup.alpha": -1.0})


def with_recipe(job: Job, values: Mapping[str, Value]) -> Job:
    return replace(job, candidate=replace(job.candidate, recipe={**job.candidate.recipe, **values}))


def family(candidates: Sequence[Candidate]) -> list[FinalJob]:
    """A training that raises, one that pauses after its first epoch, and one that is whole."""
    broken = replace(candidates[0], recipe={**candidates[0].recipe, "mixup.alpha": -1.0})
    return [
        FinalJob(name="broken", candidate=broken, epochs=1, seed=0),
        FinalJob(name="paused", candidate=candidates[1], epochs=2, stop=1, seed=0),
        FinalJob(name="whole", candidate=candidates[2], epochs=1, seed=0),
    ]


@dataclass
class Finals:
    """What an executor told of final trainings."""

    epochs: dict[str, list[int]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)

    def report(self, name: str, report: Report) -> None:
        self.epochs.setdefault(name, []).append(report.epoch)

    def fail(self, name: str, failure: Failure) -> None:
        assert name not in self.failures, "a training failed twice"
        self.failures[name] = failure


def finals_of(executor: Any, work: Sequence[FinalJob]) -> Finals:
    finals = Finals()
    executor.train(work, finals.report, finals.fail)
    return finals


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


def carry_out(executor: Any, work: Sequence[Job], ended_early: int | None = None, heard: Heard | None = None) -> Heard:
    heard, left = heard or Heard(ended_early), iter(work)
    executor.run(lambda: next(left, None), heard.report, heard.outcome)
    return heard
