"""A Ray of several simulated machines, all processes of this one, and the loss of some of them."""

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.leftovers import lasting
from tests.processes import children

cluster_utils = pytest.importorskip("ray.cluster_utils")
STORE = 80_000_000

HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
}
"""A lost machine is noticed after some seconds rather than seventeen."""

PROCESSES = {"trial": "ray::ImplicitFunc", "worker": "RayTrainWorker", "controller": "TrainController"}
"""What the command line of a process has in it."""

Choose = Callable[[Sequence[Any]], Any]


def last(items: Sequence[Any]) -> Any:
    return items[-1]


@dataclass
class Machines:
    """A head without work, and nodes of ``cpus`` processors each."""

    cluster: Any
    cpus: int
    options: dict[str, Any]
    nodes: list[Any] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self) -> None:
        with lasting():  # until the cluster ends
            self.nodes.append(self.cluster.add_node(num_cpus=self.cpus, object_store_memory=STORE, **self.options))

    def lose(self, kind: str, choose: Choose = last, away_s: float = 0) -> bool:
        """End a process of the kind, and start again what Ray does not; False if there is none now.

        Args:
            kind: ``raylet`` (a machine), ``gcs`` (the cluster's tables), or one of ``PROCESSES``.
            choose: which of several.
            away_s: seconds until the tables are there again.
        """
        if kind == "raylet":
            node = choose(self.nodes)
            self.nodes.remove(node)
            self.cluster.remove_node(node, allow_graceful=False)
            self.add()
        elif kind == "gcs":
            self.cluster.head_node.kill_gcs_server()
            time.sleep(away_s)
            with lasting():
                self.cluster.head_node.start_gcs_server()
        else:
            running = [pid for pid, words in children(os.getpid()) if PROCESSES[kind] in words]
            if not running:
                return False
            try:
                os.kill(int(choose(running)), signal.SIGKILL)
            except ProcessLookupError:
                return False
        return True


@contextlib.contextmanager
def machines(count: int, cpus: int, *, on_disk: bool = False, **options: Any) -> Iterator[Machines]:
    """A head and ``count`` nodes, with other ``options`` of ``add_node``.

    In a folder of its own, short enough for the names of sockets: clusters of tests that run beside this one would
    write their address over its mark in the common one. With its tables ``on_disk`` the head can lose its ``gcs``;
    a private Ray that is started meanwhile would take the same tables.
    """
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": 0, "object_store_memory": STORE}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("RAY_TMPDIR", folder)
        if on_disk:
            patch.setenv("RAY_gcs_storage", "rocksdb")
            patch.setenv("RAY_gcs_storage_path", str(Path(folder) / "gcs"))
        cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head | {"_system_config": HEALTH})
        stack.callback(cluster.shutdown)
        started = Machines(cluster, cpus, options)
        for _ in range(count):
            started.add()
        yield started
