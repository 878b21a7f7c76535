"""Final training under Ray Train: the same steps on one to N workers, with restart from checkpoints."""

import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# First, because it sets what Ray reads when it is imported.
from search.executors import ray_cluster  # isort: skip
import ray
from ray import train as ray_train
from ray.train.torch import TorchTrainer, get_device
from ray.util.queue import Empty, Queue

from search.executors.ray_agreement import Agreement
from search.executors.work import BLAMELESS, LOST, Failure, Workplace
from trainables.final.jobs import FinalJob
from trainables.job import Report
from trainables.training.world import World

NAME = "final"
"""Of the Ray Train run, the same for each attempt."""

POLL = 0.5
"""Seconds after which the driver looks whether the group has ended while nothing is reported."""


def train(
    place: Workplace,
    jobs: Sequence[FinalJob],
    on_report: Callable[[str, Report], None],
    on_failure: Callable[[str, Failure], None],
) -> None:
    """Train the jobs, one after the other, on a fresh group of ``place.workers``.

    A group that is lost more often than ``place.retries`` allows is started once more without the training at which it
    was lost.

    Args:
        place: where.
        jobs: whose teachers have been trained.
        on_report: called in this process with every report, also those of earlier attempts.
        on_failure: called with each training that failed.

    Raises:
        CheckpointError: a checkpoint cannot be written or read.
        DataError: the data cannot be read on a machine.
    """
    last, ended = {job.name: job.last_epoch for job in jobs}, set[str]()

    def on_item(name: str, item: Report | Failure) -> None:
        if isinstance(item, Failure):
            ended.add(name)
            on_failure(name, item)
            return
        if item.epoch == last[name]:
            ended.add(name)
        on_report(name, item)

    while left := [job for job in jobs if job.name not in ended]:
        error = _fit(place, left, on_item)
        if isinstance(error, BLAMELESS):
            raise error
        if error is not None:
            lost = next((job.name for job in left if job.name not in ended), None)
            if lost is not None:
                on_item(lost, Failure(message=f"{LOST}; last: {' '.join(str(error).split())}"))


def _fit(
    place: Workplace,
    jobs: Sequence[FinalJob],
    on_item: Callable[[str, Report | Failure], None],
) -> BaseException | None:
    """One run of a group; returns why it was given up, if it was.

    What workers tell is pickled, so that the process of the queue needs to import nothing of it.
    """
    reports = Queue(actor_options={"num_cpus": 0})
    trainer = _trainer(place, {"jobs": list(jobs), "reports": reports})
    pool = ThreadPoolExecutor(max_workers=1)
    future = pool.submit(trainer.fit)
    try:
        while not (future.done() and reports.empty()):
            try:
                message = pickle.loads(reports.get(timeout=POLL))
            except Empty:
                continue
            if isinstance(message, Exception):
                return message
            on_item(*message)
    finally:
        pool.shutdown(wait=False)  # it is done, or this process leaves Ray because of an error
        reports.shutdown(force=True)
    error = future.exception()
    return None if error is None else _cause(error)


def _trainer(place: Workplace, work: Mapping[str, Any]) -> TorchTrainer:
    agreement = ray.remote(num_cpus=0)(Agreement).remote(place.workers)
    return TorchTrainer(
        _work,
        train_loop_config={"place": place, "agreement": agreement, **work},
        torch_config=ray_cluster.connection(place),
        scaling_config=ray_train.ScalingConfig(
            num_workers=place.workers,
            use_gpu=place.gpus > 0,
            # Workers of a group cannot share a GPU, so each has whole ones.
            resources_per_worker={"CPU": place.cpus} | ({"GPU": math.ceil(place.gpus)} if place.gpus else {}),
        ),
        run_config=ray_train.RunConfig(
            name=NAME,
            **ray_cluster.records(place),
            failure_config=ray_train.FailureConfig(max_failures=place.retries),
        ),
    )


def _cause(error: BaseException) -> BaseException:
    """What went wrong in a worker, rather than Ray Train's account of it."""
    failures = getattr(error, "worker_failures", None)
    if failures:
        first: BaseException = next(iter(failures.values()))
        return getattr(first, "cause", None) or first
    return error


def _work(config: dict[str, Any]) -> None:
    context = ray_train.get_context()
    world = World(rank=context.get_world_rank(), size=context.get_world_size())
    place: Workplace = config["place"]
    for job in config["jobs"]:
        try:
            for item in place.finish(job, world, get_device()):
                if isinstance(item, Failure) and not ray.get(config["agreement"].reached.remote(job.name, world.rank)):
                    raise RuntimeError(f"only some of the workers failed ({item.message})")
                if world.rank == 0:
                    config["reports"].put(pickle.dumps((job.name, item)))
        except BLAMELESS as error:
            config["reports"].put(pickle.dumps(error))  # Ray Train alone would start the group again
            raise
