"""Final trainings of one worker, as many at a time as there is room for, as tasks of Ray.

Ray keeps the process of a task for the next one, libraries imported. Trials are actors, whose processes end with their
run; the few epochs to a rung would take less time than the start of such a process.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# First, because it sets what Ray reads when it is imported.
from search.executors import ray_cluster  # isort: skip
import ray
import torch
from ray.exceptions import RayError

from search.executors.work import BLAMELESS, LOST, Failure, Workplace
from trainables.final.jobs import FinalJob
from trainables.job import Report


def train(
    place: Workplace,
    jobs: Sequence[FinalJob],
    on_report: Callable[[str, Report], None],
    on_failure: Callable[[str, Failure], None],
) -> None:
    """Train jobs; one whose process is lost goes on from its checkpoint in another.

    Args:
        place: where.
        jobs: whose teachers have been trained.
        on_report: called in this process with every report, also those of earlier attempts.
        on_failure: called with each training that failed, or was lost more often than ``place.retries`` allows.

    Raises:
        CheckpointError: a checkpoint cannot be written or read.
        DataError: the data cannot be read on a machine.
    """
    place = place.with_whole_gpus
    room, waiting, running = ray_cluster.room(place), deque(jobs), dict[Any, str]()
    try:
        while waiting or running:
            while waiting and len(running) < room:
                job = waiting.popleft()
                running[_start(place, job)] = job.name
            (items, *_), _ = ray.wait(list(running))
            try:
                item = ray.get(next(items))
            except StopIteration:
                del running[items]
            except BLAMELESS as error:
                raise getattr(error, "cause", error) from None
            except RayError as error:
                on_failure(running.pop(items), Failure(message=f"{LOST}; last: {' '.join(str(error).split())}"))
            else:
                _tell(running[items], item, on_report, on_failure)
    finally:
        for items in running:
            ray.cancel(items, force=True)


def _tell(
    name: str,
    item: Report | Failure,
    on_report: Callable[[str, Report], None],
    on_failure: Callable[[str, Failure], None],
) -> None:
    if isinstance(item, Failure):
        on_failure(name, item)
    else:
        on_report(name, item)


def _start(place: Workplace, job: FinalJob) -> Any:
    """A training that begins as soon as a machine has what it needs; what it yields can be waited for."""
    needs = ray_cluster.worker(place)
    task = ray.remote(
        num_returns="streaming",
        num_cpus=needs.get("CPU", 0),
        num_gpus=needs.get("GPU", 0),
        memory=needs.get("memory"),
        max_retries=place.retries,
        # Its process can compute nothing more; those with a GPU end with their task.
        retry_exceptions=[torch.AcceleratorError],
    )(_finish)
    return task.remote(place, job)


def _finish(place: Workplace, job: FinalJob) -> Iterator[Report | Failure]:
    yield from place.finish(job, device=place.device)
