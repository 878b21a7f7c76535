"""Ray itself, for the executors that use it: a private one or a running cluster, and what fits on it."""

import contextlib
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

# Read by Ray when it is imported.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Processes of a private Ray have the priority of the command that started it. Ray's own default, the lowest but four,
# leaves trials next to nothing beside any other busy process.
os.environ.setdefault("RAY_worker_niceness", "0")
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
from ray._private import ray_constants
from ray.train.torch.config import TorchConfig, _set_torch_distributed_env_vars, _TorchBackend
from torch import distributed

from search.executors import ray_machines
from search.executors.work import BLAMELESS, PlacementError, Probe, Workplace, failure_of
from trainables.training.need import Need, need

LOOPBACK = "127.0.0.1"
STARTS = 3
"""Attempts to start a private Ray."""

MARGIN = 1.2
"""Times what was measured: the largest candidate may not have been met, and memory is lost between allocations."""


def worker(place: Workplace) -> dict[str, float]:
    """What a trial, or a worker of one, takes of a machine, by Ray's names."""
    resources = {"CPU": place.cpus, "GPU": place.gpus, "memory": place.memory}
    return {name: amount for name, amount in resources.items() if amount}


def join(place: Workplace, *, dashboard: bool) -> Workplace:
    """Start a private Ray or join the cluster at ``place.address``, and check that the work can be placed there.

    Args:
        place: says where and what is to be placed.
        dashboard: of a private Ray, on loopback. The clean-up of Ray Train asks it: without one, the resources of a
            worker group whose controller was lost stay taken.

    Returns:
        The workplace with all measured that was to be.

    Raises:
        PlacementError: Ray does not start, there is no cluster at the address, or it can never place a trial or the
            worker group.
    """
    # Ray writes pages about a lost process; what matters of it is in the study.
    options: dict[str, Any] = {} if place.verbose else {"log_to_driver": False, "logging_level": logging.CRITICAL}
    with _same_end_on_sigterm():
        if place.address is None:
            _start(include_dashboard=dashboard, **options)
        else:
            try:
                ray.init(address=place.address, **options)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise PlacementError(f"cannot join a Ray cluster at '{place.address}': {error}") from error
    hide_token()
    try:
        _check_resources(place)
        if place.probe is not None:
            place = _measured(place, place.probe)
            _check_resources(place)
    except BaseException:
        ray.shutdown()
        raise
    return place


def hide_token() -> None:
    """Let nobody else read the token that opens this user's clusters, which Ray writes for everyone to read."""
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", Path.home() / ".ray" / "auth_token"))
    with contextlib.suppress(OSError):  # there is none, or it is not this user's to change
        path.chmod(0o600)


def _start(**options: Any) -> None:
    """Start a private Ray, which gives its processes half a minute to come up: not enough on a busy machine.

    Raises:
        PlacementError: they were not there in any of ``STARTS`` attempts.
    """
    for attempt in range(1, STARTS + 1):
        try:
            with _on_loopback():
                ray.init(address="local", dashboard_host=LOOPBACK, **options)
            return
        except Exception as error:  # of no class of its own
            ray.shutdown()  # ends what came up
            if attempt == STARTS:
                raise PlacementError(
                    f"Ray does not start on this machine ({' '.join(str(error).split())}); where it is busy, start "
                    "the search again later, or without Ray by run.executor: serial"
                ) from error


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """A Ray that starts in the block is of this machine alone: nothing of it listens for other machines.

    The variable is Ray's own, for systems whose firewall asks the user; it is read when Ray is imported, which was
    before anybody knew whether a cluster of several machines is to be joined.
    """
    variable = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    before = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(variable)
    ray_constants.ENABLE_RAY_CLUSTER, os.environ[variable] = False, "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before[0]
        if before[1] is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before[1]


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
    for what, share_of_one, count in groups:
        if ray_machines.room(has, share_of_one) < count:
            needs = ray_machines.shown({name: count * amount for name, amount in share_of_one.items()})
            raise PlacementError(
                f"{what} needs {needs}, but the cluster has {' and '.join(map(str, has))} at most; "
                "lower run.cpus, run.gpus, run.memory, run.workers or run.workers_per_trial, or use a larger cluster"
            )


def _measured(place: Workplace, probe: Probe) -> Workplace:
    """The workplace with the needs of the largest candidates, trained one after the other in a process of its own.

    Raises:
        PlacementError: a machine of the cluster cannot train one of them.
        DataError: the data cannot be read there.
    """
    needs = ray.remote(num_cpus=place.cpus, num_gpus=place.gpus, max_calls=1, max_retries=place.retries)(_need)
    try:
        answer: Need | Exception | str = ray.get(needs.remote(place, probe))
    except (ray.exceptions.OutOfMemoryError, ray.exceptions.WorkerCrashedError) as error:
        answer = f"its process was lost, as when a machine's memory is used up ({type(error).__name__})"
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, str):
        raise PlacementError(f"the largest candidate within the limits cannot be trained here: {answer}")
    if probe.memory:
        place = replace(place, memory=math.ceil(MARGIN * answer.memory))
    if probe.gpus:
        place = replace(place, gpus=share(MARGIN * answer.device, answer.device_has))
    return replace(place, probe=None)


def _need(place: Workplace, probe: Probe) -> Need | Exception | str:
    """The largest need; else the sentence why a candidate cannot be trained, or what is the matter with the data."""
    torch.set_num_threads(place.cpus)
    try:
        splits = place.splits()
        needs = [need(task, splits, place.device) for task in probe.tasks]
    except BLAMELESS as error:
        return error
    except Exception as error:
        return failure_of(error).message
    return max(needs, key=lambda one: (one.device, one.memory))


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


# groups of workers ---------------------------------------------------------------------------------------------------


def connection(place: Workplace) -> TorchConfig:
    """How the workers of a group find each other: on loopback, where they are all on this machine."""
    return TorchConfig() if place.address is not None else OnLoopback()


class OnLoopback(TorchConfig):  # type: ignore[misc]  # Ray has no types
    """Torch's own way listens for every other machine, without a token, as long as a group trains."""

    @property
    def backend_cls(self) -> type[_TorchBackend]:
        return _OnLoopback


class _OnLoopback(_TorchBackend):  # type: ignore[misc]
    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        """Connect the workers."""
        gpus = worker_group.get_resources_per_worker().get("GPU", 0)
        worker_group.execute(_set_torch_distributed_env_vars)
        port = worker_group.execute_single(0, _listen)
        size = len(worker_group)
        timeout = timedelta(seconds=backend_config.timeout_s)
        connected = [
            worker_group.execute_single_async(rank, _connect, "nccl" if gpus else "gloo", rank, size, port, timeout)
            for rank in range(size)
        ]
        ray.get(connected)


_LISTENING: list[socket.socket] = []
"""Of the first worker of a group, until the workers are connected."""


def _listen() -> int:
    listening = socket.create_server((LOOPBACK, 0))
    _LISTENING.append(listening)
    port: int = listening.getsockname()[1]
    return port


def _connect(backend: str, rank: int, size: int, port: int, timeout: timedelta) -> None:
    """Join the group, whose exchanges go by loopback, too."""
    interface = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", interface)
    descriptor = _LISTENING.pop().detach() if rank == 0 else None
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        LOOPBACK, port, size, rank == 0, timeout, wait_for_workers=False, master_listen_fd=descriptor
    )
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
