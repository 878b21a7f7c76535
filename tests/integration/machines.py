"""A Ray of several simulated machines, all processes of this one."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

cluster_utils = pytest.importorskip("ray.cluster_utils")
STORE = 80_000_000


@contextlib.contextmanager
def machines(count: int, cpus: int, **node: Any) -> Iterator[Any]:
    """A head without work and ``count`` nodes of ``cpus`` processors each, with other arguments of ``add_node``."""
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": 0, "object_store_memory": STORE}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=cpus, object_store_memory=STORE, **node)
        yield cluster
    finally:
        cluster.shutdown()
