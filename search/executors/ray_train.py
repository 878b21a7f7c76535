"""Trials of several workers: one long-lived Ray Train group per slot, which pulls trials from a broker.

Starting a group takes seconds to tens of seconds, a trial on a running group milliseconds more than its training. A
group that loses a worker is started again by Ray Train; its trial goes on from its checkpoint, as another attempt.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Self

# First, because it sets what Ray reads when it is imported.
from search.executors import ray_cluster  # isort: skip
import ray
from ray import train
from ray.train.torch import TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.executors import ray_final, ray_tasks
from search.executors.ray_broker import Broker, Event, Lease
from search.executors.work import BLAMELESS, LOST, Failure, Later, Outcome, PlacementError, Workplace
from trainables.final.jobs import FinalJob
from trainables.job import Job, Report
from trainables.training.world import World

ENDS_WITHIN_SECONDS = 10.0
"""What a run that ends with an error waits for its groups; Ray ends them then."""

OFFERS = ("workers", "workers_per_trial", "concurrent", "memory", "measuring", "address")

POLL = 0.5
"""Seconds after which the driver looks whether a group has ended while nothing is reported."""


class Executor:
    """Groups of ``workers_per_trial`` workers for trials, a fresh group for final trainings of several workers."""

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self._groups: _Groups | None = None

    def __enter__(self) -> Self:
        """Start Ray or join the cluster.

        Raises:
            PlacementError: there is no cluster at the address, or it can never place a trial or the worker group.
        """
        self.place = ray_cluster.join(self.place, dashboard=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """End the groups and leave Ray; after an error without waiting for the epochs that are being trained."""
        try:
            self._close(None if kind is None else ENDS_WITHIN_SECONDS)
        finally:
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
        if self._groups is None:
            self._groups = _Groups(self.place)
        _Run(self._groups, self.place.retries, next_job, on_report, on_outcome).carry_out()

    def train(
        self,
        jobs: Sequence[FinalJob],
        on_report: Callable[[str, Report], None],
        on_failure: Callable[[str, Failure], None],
    ) -> None:
        self._close()  # final trainings need what the trials' groups hold
        train = ray_tasks.train if self.place.workers == 1 else ray_final.train
        train(self.place, jobs, on_report, on_failure)

    def _close(self, patience: float | None = None) -> None:
        if self._groups is not None:
            self._groups.close(patience)
            self._groups = None


class _Groups:
    """The worker groups, started one by one as trials need them, and started again when they are lost."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.slots = ray_cluster.room(place)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        remote = ray.remote(num_cpus=0, max_concurrency=10_000, scheduling_strategy=here)(Broker)
        self.broker = remote.remote(place.workers_per_trial)
        self._pool = ThreadPoolExecutor(max_workers=self.slots)
        self._running: dict[int, Future[Any]] = {}
        self.progress: set[int] = set()
        """Slots that have reported since their group was last started by ``_start``."""
        self._fruitless: Counter[int] = Counter()

    def want(self, trials: int) -> None:
        """Have as many groups as there are trials at a time."""
        for slot in range(len(self._running), min(trials, self.slots)):
            self._start(slot)

    def revive(self) -> None:
        """Start again what has ended with an error: a group whose controller is lost, or that was lost too often.

        Raises:
            PlacementError: a group ends before it reports anything, more than ``retries`` times in a row.
        """
        for slot, future in list(self._running.items()):
            if not future.done():
                continue
            ray.get(self.broker.lost.remote(slot))
            self._fruitless[slot] = 0 if slot in self.progress else self._fruitless[slot] + 1
            if self._fruitless[slot] > self._place.retries:
                raise PlacementError(
                    f"the worker group of slot {slot} was started {self._fruitless[slot]} times and ended each time "
                    f"before any trial reported (run.retries is {self._place.retries}): {future.exception()}"
                ) from future.exception()
            self._start(slot)

    def close(self, patience: float | None) -> None:
        """End all groups and wait for it, so that their resources are free; ``patience`` seconds at most."""
        ray.get(self.broker.close.remote())
        _, late = wait(self._running.values(), timeout=patience)
        self._pool.shutdown(wait=not late)
        ray.kill(self.broker)

    def _start(self, slot: int) -> None:
        self.progress.discard(slot)
        self._running[slot] = self._pool.submit(self._fit, slot)

    def _fit(self, slot: int) -> None:
        place = self._place
        TorchTrainer(
            _pull,
            train_loop_config={"slot": slot, "broker": self.broker, "place": place},
            torch_config=ray_cluster.connection(place),
            scaling_config=train.ScalingConfig(
                num_workers=place.workers_per_trial,
                use_gpu=place.gpus > 0,
                resources_per_worker=ray_cluster.worker(place),
            ),
            run_config=train.RunConfig(
                name=f"trials-{slot}",
                **ray_cluster.records(place),
                failure_config=train.FailureConfig(max_failures=place.retries),
            ),
        ).fit()


@dataclass
class _Trial:
    """A trial that was handed out: the answers given to its reports, by epoch."""

    job: Job
    reports: dict[int, Report] = field(default_factory=dict)
    go_on: dict[int, bool] = field(default_factory=dict)


class _Run:
    """Hands the study's jobs to the groups and their reports to the study."""

    def __init__(
        self,
        groups: _Groups,
        retries: int,
        next_job: Callable[[], Job | Later | None],
        on_report: Callable[[int, Report], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        self._groups, self._broker, self._retries = groups, groups.broker, retries
        self._next_job, self._on_report, self._on_outcome = next_job, on_report, on_outcome
        self._open: dict[int, _Trial] = {}
        self._losses: Counter[int] = Counter()

    def carry_out(self) -> None:
        self._fill()
        while self._open:
            for event in ray.get(self._broker.events.remote(POLL)):
                if event.lease.job.number in self._open:
                    self._handle(event)
            self._groups.revive()
            self._fill()

    def _fill(self) -> None:
        while len(self._open) < self._groups.slots and isinstance(job := self._next_job(), Job):
            self._open[job.number] = _Trial(job)
            self._broker.put.remote(job)
            self._groups.want(len(self._open))

    def _handle(self, event: Event) -> None:
        lease, trial = event.lease, self._open[event.lease.job.number]
        if event.kind == "report":
            assert event.report is not None
            self._groups.progress.add(lease.slot)
            go_on = self._goes_on(trial, event.report)
            if not go_on:
                self._end(trial)
            self._broker.answer.remote(lease, event.report.epoch, go_on)
        elif event.kind == "failed":
            self._groups.progress.add(lease.slot)
            self._end(trial, event.failure)
        elif event.kind == "broken":
            assert event.error is not None
            raise event.error
        else:
            self._lost(lease, trial, event.last_words)

    def _goes_on(self, trial: _Trial, report: Report) -> bool:
        """Whether a trial goes on. A restarted one repeats the reports of its checkpoint, and gets the same answers."""
        if report.epoch not in trial.go_on:
            trial.reports[report.epoch] = report
            go_on = self._on_report(trial.job.number, report)
            trial.go_on[report.epoch] = go_on and report.epoch < trial.job.stop
        return trial.go_on[report.epoch]

    def _lost(self, lease: Lease, trial: _Trial, last_words: str | None) -> None:
        number = trial.job.number
        self._losses[number] += 1
        if self._losses[number] <= self._retries:
            self._broker.put.remote(trial.job, first=True)
            return
        self._groups.progress.add(lease.slot)
        self._end(trial, Failure(message=LOST if last_words is None else f"{LOST}; last: {last_words}"))

    def _end(self, trial: _Trial, failure: Failure | None = None) -> None:
        reports = tuple(trial.reports[epoch] for epoch in sorted(trial.reports))
        del self._open[trial.job.number]
        message, trace = (None, None) if failure is None else (failure.message, failure.trace)
        self._on_outcome(Outcome(number=trial.job.number, reports=reports, message=message, trace=trace))


def _pull(config: dict[str, Any]) -> None:
    """What each worker of a group does: train what the broker hands out until it closes."""
    context = train.get_context()
    world = World(rank=context.get_world_rank(), size=context.get_world_size())
    slot, broker, place = config["slot"], config["broker"], config["place"]
    if world.rank == 0:
        ray.get(broker.hello.remote(slot))
    world.barrier()
    start, turn = ray.get(broker.start_of.remote(slot)), 0
    while (lease := ray.get(broker.next.remote(slot, start, turn))) is not None:
        try:
            _follow(lease, place, world, broker)
        except Exception as error:
            ray.get(broker.last_words.remote(slot, f"{type(error).__name__}: {error}"))
            raise
        world.barrier()
        turn += 1


def _follow(lease: Lease, place: Workplace, world: World, broker: Any) -> None:
    """Train one trial as far as the driver wants it."""
    try:
        for item in place.work(lease.job, world):
            if isinstance(item, Failure):
                if not ray.get(broker.failed.remote(lease, world.rank, item)):
                    raise RuntimeError(f"only some of the workers failed ({item.message})")
                return
            answer = broker.report.remote(lease, item) if world.rank == 0 else broker.verdict.remote(lease, item.epoch)
            if not ray.get(answer):
                return
    except BLAMELESS as error:
        ray.get(broker.broken.remote(lease, error))
        raise
