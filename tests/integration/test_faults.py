"""SIGKILL at moments drawn with a seed, on a Ray of several nodes: the study ends as if nothing had happened."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import children
from tests.integration.test_run import ROOT, command, configuration, facts, search

pytestmark = pytest.mark.filterwarnings("ignore")
cluster_utils = pytest.importorskip("ray.cluster_utils")

HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}
"""A lost machine is noticed after three seconds rather than seventeen."""

PROCESSES = {"trial": ("ray::ImplicitFunc", "RayTrainWorker"), "controller": ("TrainController", "ray::ImplicitFunc")}


@dataclass
class Machine:
    """A head without work and nodes of one processor, all processes below this one."""

    cluster: Any
    nodes: list[Any] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)

    def add(self) -> None:
        self.nodes.append(self.cluster.add_node(num_cpus=1, object_store_memory=80_000_000))

    def kill(self, kind: str, driver: subprocess.Popen[bytes], draw: random.Random) -> None:
        """End a process of the kind, if there is one now."""
        if kind == "driver":
            driver.kill()
        elif kind == "raylet":
            node = self.nodes.pop(draw.randrange(len(self.nodes)))
            self.cluster.remove_node(node, allow_graceful=False)
            self.add()
        else:
            found = [pid for pid, words in children(os.getpid()) if any(name in words for name in PROCESSES[kind])]
            if not found:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(draw.choice(found), signal.SIGKILL)
        self.killed[kind] += 1


@pytest.fixture
def machine() -> Iterator[Machine]:
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": 0, "object_store_memory": 80_000_000}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head | {"_system_config": HEALTH})
    started = Machine(cluster)
    try:
        for _ in range(2):
            started.add()
        yield started
    finally:
        cluster.shutdown()


def longer(file: Path, executor: str) -> Path:
    """One trial at a time, so that what is proposed does not depend on which ends first."""
    text = file.read_text().replace("epochs: 2, predictor", "epochs: 12, predictor")
    text = text.replace(f"executor: {executor}, workers: 1", f"executor: {executor}, workers: 1, {ONE_AT_A_TIME}")
    assert ONE_AT_A_TIME in text
    file.write_text(text)
    return file


ONE_AT_A_TIME = "concurrent: 1, retries: 60"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = search("run", longer(configuration(folder, "faults"), "serial"))
    assert done.returncode == 0, done.stderr
    return facts(folder / "runs" / "faults")


def suffer(machine: Machine, folder: Path, executor: str, kinds: list[str], seed: int) -> dict[str, Any]:
    """Run to the end while a process of each kind is killed; what the run found."""
    draw = random.Random(seed)
    file = longer(configuration(folder, "faults", executor=executor), executor)
    run, left = folder / "runs" / "faults", list(kinds)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = command("run", file, "--ray-address", machine.cluster.address)
    deadline = time.monotonic() + 300 + 60 * len(kinds)
    with (folder / "log").open("wb") as log:
        while True:
            driver = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)
            try:
                while driver.poll() is None:
                    assert time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
                    time.sleep(draw.uniform(1, 4))
                    if left and driver.poll() is None and started(run):
                        before = sum(machine.killed.values())
                        machine.kill(left[0], driver, draw)
                        if sum(machine.killed.values()) > before:
                            left.pop(0)
            finally:
                driver.kill()
                driver.wait()
            if driver.returncode == 0:
                break
            assert driver.returncode == -signal.SIGKILL, (folder / "log").read_text()[-3000:]
    assert len(left) <= len(kinds) // 2, f"the run ended before most of the kills; left: {left}"
    return facts(run)


def started(run: Path) -> bool:
    log = run / "search.log"
    return log.exists() and "stage 1" in log.read_text()


def check(found: dict[str, Any], expected: dict[str, Any]) -> None:
    numbers = [trial[0] for trial in found["trials"]]
    assert numbers == list(range(len(numbers))), "a trial was lost or counted twice"
    for (number, state, key, curve), (_, *known) in zip(found["trials"], expected["trials"], strict=True):
        assert (state, key, curve) == tuple(known), f"trial {number} differs from the undisturbed run's"


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["ray_tune", pytest.param("ray_train", marks=pytest.mark.benchmark)])  # minutes
def test_kills_change_nothing(executor: str, machine: Machine, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    found = suffer(machine, tmp_path, executor, ["trial", "raylet", "driver", "controller"], seed=1)
    check(found, undisturbed)


@pytest.mark.benchmark
@pytest.mark.parametrize("executor", ["ray_tune"])
def test_fifty_kills_change_nothing(
    executor: str, machine: Machine, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    draw = random.Random(7)
    kinds = draw.choices(["trial", "raylet", "driver", "controller"], weights=[5, 2, 2, 1], k=50)
    check(suffer(machine, tmp_path, executor, kinds, seed=2), undisturbed)
    print(f"{executor}: killed {dict(machine.killed)}; the trials are those of the undisturbed run")
