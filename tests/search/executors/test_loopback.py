"""The workers of a group on a Ray of their own machine listen for nobody else."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("ray")
torch = pytest.importorskip("torch")

from search.executors import ray_cluster  # noqa: E402
from tests.search.executors.jobs import place  # noqa: E402

LISTENING = "0A"
"""The state of a socket, as Linux writes it."""


def listening() -> set[str]:
    """Addresses, as Linux writes them, on which this process listens."""
    links = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    own = {link.removeprefix("socket:[").rstrip("]") for link in links}
    return {address for address, state, inode in _sockets() if state == LISTENING and inode in own}


def _sockets() -> Iterator[tuple[str, str, str]]:
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            yield words[1].partition(":")[0], words[3], words[9]


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="looks at Linux's own tables")
def test_a_group_listens_on_loopback_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("GLOO", "NCCL"):
        monkeypatch.setenv(f"{library}_SOCKET_IFNAME", "")
        monkeypatch.delenv(f"{library}_SOCKET_IFNAME")
    before = listening()
    ray_cluster._connect("gloo", 0, 1, ray_cluster._listen(), timedelta(seconds=60))
    try:
        value = torch.ones(1)
        torch.distributed.all_reduce(value)
        assert listening() - before == {"0100007F"}  # 127.0.0.1
    finally:
        torch.distributed.destroy_process_group()


def test_groups_of_a_cluster_connect_as_torch_does(tmp_path: Path) -> None:
    assert type(ray_cluster.connection(place(tmp_path))) is ray_cluster.OnLoopback
    assert type(ray_cluster.connection(place(tmp_path, address="auto"))) is ray_cluster.TorchConfig
