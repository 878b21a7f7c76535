"""Trials under Ray Tune with reused actors, final trainings of several workers under Ray Train.

Tune asks this executor's searcher for each trial; the searcher hands on the jobs of the study, which is the record.
``Tuner.restore`` is never used: a new Tuner over the same study goes on.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any, Self, TypeVar

# First, because it sets what Ray reads when it is imported.
from search.executors import ray_cluster  # isort: skip
import ray
import torch
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from search.executors import ray_final, ray_tasks
from search.executors.work import BLAMELESS, LOST, Failure, Later, Outcome, Workplace
from trainables.final.jobs import FinalJob
from trainables.job import Job, Report

T = TypeVar("T")

OFFERS = ("workers", "concurrent", "memory", "measuring", "address")

STARTS_WITHIN_SECONDS = 60.0
"""A process that has not started by then is taken to wait for a machine."""


class Executor:
    """Ray Tune for trials, Ray Train for final trainings of several workers, on a private Ray or a running cluster."""

    def __init__(self, place: Workplace) -> None:
        self.place = place

    def __enter__(self) -> Self:
        """Start Ray or join the cluster.

        Raises:
            PlacementError: there is no cluster at the address, or it can never place a trial or the worker group.
        """
        self.place = ray_cluster.join(self.place, dashboard=False)
        return self

    def __exit__(self, *exception: object) -> None:
        ray.shutdown()

    @property
    def room(self) -> int:
        return ray_cluster.room(self.place)

    def run(
        self,
        next_job: Callable[[], Job | Later | None],
        on_report: Callable[[int, Report], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        lost = _Lost(next_job, self.place.retries)
        self._tune(_Jobs(lost, on_report, on_outcome))
        while lost.waiting:  # a process was lost after Tune had been told that there are no more trials
            self._tune(_Jobs(lost, on_report, on_outcome))

    def _tune(self, jobs: "_Jobs") -> None:
        place = self.place
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_train, place=place), ray_cluster.worker(place)),
            tune_config=tune.TuneConfig(
                search_alg=jobs,
                scheduler=_Stopping(jobs),
                num_samples=-1,
                max_concurrent_trials=self.room,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="trials",
                **ray_cluster.records(place),
                verbose=1 if place.verbose else 0,
                # Tune does not retry a trial whose reused process died before the trial began; ``_Lost`` retries all.
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        tuner.fit()
        if jobs.error is not None:
            raise jobs.error

    def train(
        self,
        jobs: Sequence[FinalJob],
        on_report: Callable[[str, Report], None],
        on_failure: Callable[[str, Failure], None],
    ) -> None:
        train = ray_tasks.train if self.place.workers == 1 else ray_final.train
        train(self.place, jobs, on_report, on_failure)


class _Lost:
    """Jobs whose process was lost: they come before new ones, and go on from their own checkpoints."""

    def __init__(self, next_job: Callable[[], Job | Later | None], retries: int) -> None:
        self._next_job, self._retries = next_job, retries
        self._times: Counter[int] = Counter()
        self.waiting: deque[Job] = deque()

    def next_job(self) -> Job | Later | None:
        return self.waiting.popleft() if self.waiting else self._next_job()

    def again(self, job: Job) -> bool:
        """Take a lost job back; False if it was lost more often than it may be."""
        self._times[job.number] += 1
        if self._times[job.number] > self._retries:
            return False
        self.waiting.append(job)
        return True


class _Jobs(Searcher):  # type: ignore[misc]
    """Hands the study's jobs to Tune and Tune's results to the study."""

    def __init__(
        self,
        lost: _Lost,
        on_report: Callable[[int, Report], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        super().__init__(metric="accuracy", mode="max")
        self._lost, self._on_report, self._on_outcome = lost, on_report, on_outcome
        self._jobs: dict[str, Job] = {}
        self._reports: dict[str, dict[int, Report]] = {}
        self._words: dict[str, str] = {}
        self.stopped: set[str] = set()
        self.error: Exception | None = None
        """What ends the run; the trials that have not ended are left as they are, to be resumed."""

    def suggest(self, trial_id: str) -> Any:
        job = self._or_error(self._lost.next_job)
        if job is None:
            return Searcher.FINISHED
        if isinstance(job, Later):
            return None  # Tune asks again
        self._jobs[trial_id] = job
        self._reports[trial_id] = {}
        return {"job": job}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if trial_id not in self._jobs:
            return
        if "broken" in result:
            self.error = self.error or result["broken"]
        if "last_words" in result:
            self._words[trial_id] = result["last_words"]
        # A restarted trial repeats the reports of its checkpoint; by epoch they are the same.
        if "epoch" in result and result["epoch"] not in self._reports[trial_id]:
            names = [field.name for field in fields(Report) if field.name in result]  # Tune drops an empty ``monitors``
            report = Report(**{name: result[name] for name in names})
            self._reports[trial_id][report.epoch] = report
            if not self._or_error(lambda: self._on_report(self._jobs[trial_id].number, report)):
                self.stopped.add(trial_id)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if trial_id not in self._jobs:
            return
        last = result or {}
        self.on_trial_result(trial_id, last)  # Tune gives the last result here only
        job, by_epoch, words = self._jobs.pop(trial_id), self._reports.pop(trial_id), self._words.pop(trial_id, None)
        message = last.get("message")
        if error:
            if self._lost.again(job):
                return
            message = LOST if words is None else f"{LOST}; last: {words}"
        reports = tuple(by_epoch[epoch] for epoch in sorted(by_epoch))
        outcome = Outcome(number=job.number, reports=reports, message=message, trace=last.get("trace"))
        self._or_error(lambda: self._on_outcome(outcome))

    def _or_error(self, act: Callable[[], T]) -> T | None:
        """What the run's own function returns; None after an error, which Tune would take for one of a trial."""
        if self.error is None:
            try:
                return act()
            except Exception as error:
                self.error = error
        return None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher for a ``restore`` that is never used, and the study cannot be pickled."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Never used.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a search is resumed from its study, not from a Tuner")


class _Stopping(FIFOScheduler):  # type: ignore[misc]
    """Starts trials in order, and ends those of which ``on_report`` said so; Tune's searchers cannot end a trial.

    A trial for which a process starts waits for it, and a process that becomes free goes to a new trial. Tune would
    give it to the trial that waits and end the process that starts, again and again where trials are shorter than that.
    """

    def __init__(self, jobs: _Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._waits_since: dict[str, float] = {}

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """The trial that has waited longest, if too long for a process that starts; Tune starts all others itself."""
        now = time.monotonic()
        waiting = [trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING]
        since = {trial.trial_id: self._waits_since.get(trial.trial_id, now) for trial in waiting}
        self._waits_since = since
        late = [trial for trial in waiting if now - since[trial.trial_id] > STARTS_WITHIN_SECONDS]
        return min(late, key=lambda trial: since[trial.trial_id], default=None)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        self._jobs.on_trial_result(trial.trial_id, result)
        return str(FIFOScheduler.STOP if trial.trial_id in self._jobs.stopped else FIFOScheduler.CONTINUE)


def _train(config: dict[str, Any], place: Workplace) -> None:
    try:
        for item in place.work(config["job"]):
            if isinstance(item, Failure):
                tune.report({"message": item.message, "trace": item.trace, "accuracy": 0.0})
            else:
                tune.report(asdict(item))
    except BLAMELESS as error:
        tune.report({"broken": error, "accuracy": 0.0})
    except torch.AcceleratorError as error:
        tune.report({"last_words": str(error), "accuracy": 0.0})
        raise
