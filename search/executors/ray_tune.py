"""Trials under Ray Tune with reused actors, final trainings under Ray Train.

Tune asks this executor's searcher for each trial; the searcher hands on the jobs of the study, which is the record.
``Tuner.restore`` is never used: a new Tuner over the same study goes on.
"""

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any, Self

# Read by Ray when it is imported.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# The end of a Train run waits for its next poll, two seconds by default.
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
# Tune logs each result to files and changes the process's signal handlers by default; neither serves here.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from search.executors.work import Outcome, PlacementError, Workplace, work
from search.study import Job
from trainables.family import FinalJob
from trainables.ray_train import Group, fit
from trainables.trial import Report


class Executor:
    """Ray Tune for trials, Ray Train for final trainings, on a private Ray or a running cluster."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    def __enter__(self) -> Self:
        """Start Ray or join the cluster.

        Raises:
            PlacementError: there is no cluster at the address, or it can never place a trial or the worker group.
        """
        # Ray writes pages about a lost process; what matters of it is in the study.
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if self._place.address is None:
            ray.init(address="local", include_dashboard=False, **quiet)
        else:
            try:
                ray.init(address=self._place.address, **quiet)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise PlacementError(f"cannot join a Ray cluster at '{self._place.address}': {error}") from error
        try:
            self._check_resources()
        except PlacementError:
            ray.shutdown()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        ray.shutdown()

    def _check_resources(self) -> None:
        has = ray.cluster_resources()
        place = self._place
        for what, count in (("a trial", 1), (f"final training with {place.workers} worker(s)", place.workers)):
            for resource, amount in (("CPU", place.cpus * count), ("GPU", place.gpus * count)):
                if amount > has.get(resource, 0):
                    raise PlacementError(
                        f"{what} needs {amount:g} {resource}, but the cluster has {has.get(resource, 0):g}; "
                        "lower run.cpus, run.gpus or run.workers, or use a larger cluster"
                    )

    def run(
        self,
        next_job: Callable[[], Job | None],
        on_report: Callable[[int, Report], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        lost = _Lost(next_job, self._place.retries)
        self._tune(_Jobs(lost, on_report, on_outcome))
        while lost.waiting:  # a process was lost after Tune had been told that there are no more trials
            self._tune(_Jobs(lost, on_report, on_outcome))

    def _tune(self, jobs: "_Jobs") -> None:
        place = self._place
        resources = {"cpu": place.cpus} | ({"gpu": place.gpus} if place.gpus else {})
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_train, place=place), resources),
            tune_config=tune.TuneConfig(
                search_alg=jobs,
                scheduler=_Stopping(jobs),
                num_samples=-1,
                max_concurrent_trials=place.concurrent or self._room(),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str((place.folder / "ray").resolve()),
                verbose=0,
                # Tune does not retry a trial whose reused process died before the trial began; ``_Lost`` retries all.
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        tuner.fit()

    def _room(self) -> int:
        has = ray.cluster_resources()
        rooms = [has.get("CPU", 1) / self._place.cpus]
        if self._place.gpus:
            rooms.append(has.get("GPU", 0) / self._place.gpus)
        return max(1, int(min(rooms)))

    def train(self, jobs: Sequence[FinalJob], on_report: Callable[[str, Report], None]) -> None:
        place = self._place
        group = Group(workers=place.workers, cpus=place.cpus, gpus=place.gpus, retries=place.retries)
        fit(
            "final",
            jobs,
            source=place.source,
            keywords=place.keywords,
            folder=place.folder,
            group=group,
            on_report=on_report,
        )


class _Lost:
    """Jobs whose process was lost: they come before new ones, and go on from their own checkpoints."""

    def __init__(self, next_job: Callable[[], Job | None], retries: int) -> None:
        self._next_job, self._retries = next_job, retries
        self._times: Counter[int] = Counter()
        self.waiting: deque[Job] = deque()

    def next_job(self) -> Job | None:
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
        self.stopped: set[str] = set()

    def suggest(self, trial_id: str) -> Any:
        job = self._lost.next_job()
        if job is None:
            return Searcher.FINISHED
        self._jobs[trial_id] = job
        self._reports[trial_id] = {}
        return {"job": job}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        # A restarted trial repeats the reports of its checkpoint; by epoch they are the same.
        if "epoch" in result and trial_id in self._jobs:
            report = Report(**{field.name: result[field.name] for field in fields(Report)})
            if report.epoch not in self._reports[trial_id]:
                self._reports[trial_id][report.epoch] = report
                if not self._on_report(self._jobs[trial_id].number, report):
                    self.stopped.add(trial_id)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if trial_id not in self._jobs:
            return
        self.on_trial_result(trial_id, result or {})  # Tune gives the last result here only
        job, by_epoch = self._jobs.pop(trial_id), self._reports.pop(trial_id)
        message = (result or {}).get("message")
        if error:
            if self._lost.again(job):
                return
            message = "its process was lost more often than run.retries allows"
        reports = tuple(by_epoch[epoch] for epoch in sorted(by_epoch))
        self._on_outcome(Outcome(number=job.number, reports=reports, message=message))

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
    """Starts trials in order, and ends those of which ``on_report`` said so; Tune's searchers cannot end a trial."""

    def __init__(self, jobs: _Jobs) -> None:
        super().__init__()
        self._jobs = jobs

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        self._jobs.on_trial_result(trial.trial_id, result)
        return str(FIFOScheduler.STOP if trial.trial_id in self._jobs.stopped else FIFOScheduler.CONTINUE)


def _train(config: dict[str, Any], place: Workplace) -> None:
    for item in work(config["job"], place):
        if isinstance(item, str):
            tune.report({"message": item, "accuracy": 0.0})
        else:
            tune.report(asdict(item))
