"""Ray itself, for the executors that use it: a private one or a running cluster, what fits on it, final training."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

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

from search.executors.work import PlacementError, Workplace
from trainables.family import FinalJob
from trainables.ray_train import Group, fit
from trainables.trial import Report


def join(place: Workplace, *, dashboard: bool) -> None:
    """Start a private Ray or join the cluster at ``place.address``, and check that the work can be placed there.

    Args:
        place: says where and what is to be placed.
        dashboard: of a private Ray, on loopback. The clean-up of Ray Train asks it: without one, the resources of a
            worker group whose controller was lost stay taken.

    Raises:
        PlacementError: there is no cluster at the address, or it can never place a trial or the worker group.
    """
    # Ray writes pages about a lost process; what matters of it is in the study.
    options: dict[str, Any] = {} if place.verbose else {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if place.address is None:
        ray.init(address="local", include_dashboard=dashboard, dashboard_host="127.0.0.1", **options)
    else:
        try:
            ray.init(address=place.address, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise PlacementError(f"cannot join a Ray cluster at '{place.address}': {error}") from error
    try:
        _check_resources(place)
    except PlacementError:
        ray.shutdown()
        raise


def _check_resources(place: Workplace) -> None:
    has = ray.cluster_resources()
    groups = (
        (f"a trial with {place.workers_per_trial} worker(s)", place.workers_per_trial),
        (f"final training with {place.workers} worker(s)", place.workers),
    )
    for what, count in groups:
        for resource, amount in (("CPU", place.cpus * count), ("GPU", place.gpus * count)):
            if amount > has.get(resource, 0):
                raise PlacementError(
                    f"{what} needs {amount:g} {resource}, but the cluster has {has.get(resource, 0):g}; "
                    "lower run.cpus, run.gpus, run.workers or run.workers_per_trial, or use a larger cluster"
                )


def room(place: Workplace) -> int:
    """Trials at a time: as configured, or as many as the cluster has resources for, at least one."""
    if place.concurrent is not None:
        return place.concurrent
    has = ray.cluster_resources()
    rooms = [has.get("CPU", 1) / (place.cpus * place.workers_per_trial)]
    if place.gpus:
        rooms.append(has.get("GPU", 0) / (place.gpus * place.workers_per_trial))
    return max(1, int(min(rooms)))


def train(place: Workplace, jobs: Sequence[FinalJob], on_report: Callable[[str, Report], None]) -> None:
    """Final trainings, on a fresh group of ``place.workers``."""
    group = Group(workers=place.workers, cpus=place.cpus, gpus=place.gpus, retries=place.retries)
    fit(
        "final",
        jobs,
        source=place.source,
        keywords=place.keywords,
        folder=place.folder,
        checkpoints=place.checkpoints,
        group=group,
        on_report=on_report,
    )
