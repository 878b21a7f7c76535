"""Ray itself, for the executors that use it: a private one or a running cluster, what fits on it, final training."""

import contextlib
import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

# Read by Ray when it is imported.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# The end of a Train run waits for its next poll, two seconds by default; more polls are a load on the controller.
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "1")
# A process beside every group that looks out for machines about to go away; a lost one costs an epoch as it is.
os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
# Tune logs each result to files and changes the process's signal handlers by default; neither serves here.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
# Nobody reads Tune's snapshots, which grow with the trials: the study is the record.
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "86400")

import fsspec
import ray
import torch
from pyarrow.fs import FSSpecHandler, PyFileSystem

from search.executors import ray_machines
from search.executors.ray_final import Group, fit
from search.executors.work import PlacementError, Probe, Workplace
from trainables.data.sources import load_source
from trainables.final.jobs import FinalJob
from trainables.training.need import Need, need
from trainables.training.trial import Report, TrialFailed

MARGIN = 1.2
"""Times what was measured: the largest candidate may not have been met, and memory is lost between allocations."""


def worker(place: Workplace) -> dict[str, float]:
    """What a trial, or a worker of one, takes of a machine, by Ray's names."""
    asked = {"CPU": place.cpus, "GPU": place.gpus, "memory": place.memory}
    return {name: amount for name, amount in asked.items() if amount}


def join(place: Workplace, *, dashboard: bool) -> Workplace:
    """Start a private Ray or join the cluster at ``place.address``, and check that the work can be placed there.

    Args:
        place: says where and what is to be placed.
        dashboard: of a private Ray, on loopback. The clean-up of Ray Train asks it: without one, the resources of a
            worker group whose controller was lost stay taken.

    Returns:
        The workplace with all measured that was to be.

    Raises:
        PlacementError: there is no cluster at the address, or it can never place a trial or the worker group.
    """
    # Ray writes pages about a lost process; what matters of it is in the study.
    options: dict[str, Any] = {} if place.verbose else {"log_to_driver": False, "logging_level": logging.CRITICAL}
    with _same_end_on_sigterm():
        if place.address is None:
            ray.init(address="local", include_dashboard=dashboard, dashboard_host="127.0.0.1", **options)
        else:
            try:
                ray.init(address=place.address, **options)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise PlacementError(f"cannot join a Ray cluster at '{place.address}': {error}") from error
    try:
        _check_resources(place)
        if place.probe is not None:
            place = _measured(place, place.probe)
            _check_resources(place)
    except BaseException:
        ray.shutdown()
        raise
    return place


@contextlib.contextmanager
def _same_end_on_sigterm() -> Iterator[None]:
    """Ray puts its own handlers of SIGTERM in place, which print a trace and end the process: put ours back."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if callable(handler) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _check_resources(place: Workplace) -> None:
    has = ray_machines.machines(joined=place.address is not None)
    final = {name: float(math.ceil(amount)) for name, amount in worker(place).items() if name != "memory"}
    groups = (
        (f"a trial with {place.workers_per_trial} worker(s)", worker(place), place.workers_per_trial),
        (f"final training with {place.workers} worker(s)", final, place.workers),
    )
    for what, each, count in groups:
        if ray_machines.room(has, each) < count:
            needs = ray_machines.shown({name: count * amount for name, amount in each.items()})
            raise PlacementError(
                f"{what} needs {needs}, but the cluster has {' and '.join(map(str, has))} at most; "
                "lower run.cpus, run.gpus, run.memory, run.workers or run.workers_per_trial, or use a larger cluster"
            )


def _measured(place: Workplace, probe: Probe) -> Workplace:
    """The workplace with the needs of the largest candidates, trained one after the other in a process of its own.

    Raises:
        PlacementError: a machine of the cluster cannot train one of them.
    """
    needs = ray.remote(num_cpus=place.cpus, num_gpus=place.gpus, max_calls=1, max_retries=place.retries)(_need)
    try:
        found: Need | str = ray.get(needs.remote(place, probe))
    except (ray.exceptions.OutOfMemoryError, ray.exceptions.WorkerCrashedError) as error:
        found = f"its process was lost, as when a machine's memory is used up ({type(error).__name__})"
    if isinstance(found, str):
        raise PlacementError(f"the largest candidate within the limits cannot be trained here: {found}")
    if probe.memory:
        place = replace(place, memory=math.ceil(MARGIN * found.memory))
    if probe.gpus:
        place = replace(place, gpus=share(MARGIN * found.device, found.device_has))
    return replace(place, probe=None)


def _need(place: Workplace, probe: Probe) -> Need | str:
    torch.set_num_threads(place.cpus)
    splits = load_source(place.source, place.keywords)
    try:
        found = [need(task, splits, place.device) for task in probe.tasks]
    except TrialFailed as error:
        return str(error)
    return max(found, key=lambda one: (one.device, one.memory))


def share(needed: float, has: float) -> float:
    """Of a GPU, for a trial that needs so many bytes of those it has: the inverse of how many fit, rounded down.

    Ray counts shares in ten-thousandths. What needs more than a whole one can only try its luck, with all of it.
    """
    trials = max(1, int(has / needed))
    return math.floor(1e4 / trials) / 1e4


def records(place: Workplace) -> dict[str, Any]:
    """Where Ray keeps its own records, which every machine reaches: with the checkpoints; keywords of a RunConfig."""
    if place.checkpoints is None:
        return {"storage_path": str((place.folder / "ray").resolve())}
    filesystem, path = fsspec.core.url_to_fs(f"{place.checkpoints}/ray")
    return {"storage_path": path, "storage_filesystem": PyFileSystem(FSSpecHandler(filesystem))}


def room(place: Workplace) -> int:
    """Trials at a time: as configured, or as many as the cluster has resources for or may have, at least one."""
    if place.concurrent is not None:
        return place.concurrent
    has = ray_machines.machines(joined=place.address is not None)
    return max(1, ray_machines.room(has, worker(place)) // place.workers_per_trial)


def train(place: Workplace, jobs: Sequence[FinalJob], on_report: Callable[[str, Report], None]) -> None:
    """Final trainings, on a fresh group of ``place.workers``."""
    # Workers of a group cannot share a GPU, so each has whole ones.
    group = Group(workers=place.workers, cpus=place.cpus, gpus=math.ceil(place.gpus), retries=place.retries)
    fit(
        "final",
        jobs,
        source=place.source,
        keywords=place.keywords,
        folder=place.folder,
        checkpoints=place.checkpoints,
        records=records(place),
        group=group,
        on_report=on_report,
    )
