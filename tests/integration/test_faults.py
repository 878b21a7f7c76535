"""SIGKILL at moments drawn with a seed, on a Ray of several nodes: the study ends as if nothing had happened."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.processes import children
from tests.integration.test_run import ROOT, command, configuration, facts, search
from tests.integration.written import Written
from tests.search.postgres import Postgres, postgres_server

pytestmark = pytest.mark.filterwarnings("ignore")
cluster_utils = pytest.importorskip("ray.cluster_utils")

HEALTH = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
}
"""A lost machine is noticed after some seconds rather than seventeen."""

PROCESSES = {"trial": "ray::ImplicitFunc", "worker": "RayTrainWorker", "controller": "TrainController"}
"""What the command line of a process has in it."""

SEED = int(os.environ.get("NARS_FAULTS_SEED", "0"))
"""Of the order of the kills and of their moments."""

FIFTY = {
    "ray_tune": {"trial": 8, "raylet": 4, "driver": 4, "gcs": 5, "storage": 4},
    "ray_train": {"worker": 8, "controller": 6, "raylet": 4, "driver": 4, "gcs": 3},
}
"""What is killed, and how often, by executor: fifty in all."""


@dataclass
class Machine:
    """A head without work and two nodes of one processor, all processes below this one; and the study's server."""

    cluster: Any
    postgres: Postgres | None = None
    nodes: list[Any] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)

    def add(self) -> None:
        self.nodes.append(self.cluster.add_node(num_cpus=1, object_store_memory=80_000_000))

    def kill(self, kind: str, driver: subprocess.Popen[bytes], rng: np.random.Generator) -> bool:
        """End a process of the kind, and start again what Ray does not; False if there is none now."""
        if kind == "driver":
            driver.kill()
        elif kind == "raylet":
            self.cluster.remove_node(self.nodes.pop(int(rng.integers(len(self.nodes)))), allow_graceful=False)
            self.add()
        elif kind == "gcs":
            self.cluster.head_node.kill_gcs_server()
            time.sleep(rng.uniform(0, 2))
            self.cluster.head_node.start_gcs_server()
        elif kind == "storage":
            assert self.postgres is not None
            self.postgres.control("restart", "-m", "immediate")
        else:
            found = [pid for pid, words in children(os.getpid()) if PROCESSES[kind] in words]
            if not found:
                return False
            try:
                os.kill(int(rng.choice(found)), signal.SIGKILL)
            except ProcessLookupError:
                return False
        self.killed[kind] += 1
        return True


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """The tables of the head are on disk, so that it can be started again."""
    monkeypatch.setenv("RAY_gcs_storage", "rocksdb")
    monkeypatch.setenv("RAY_gcs_storage_path", str(tmp_path / "gcs"))
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": 0, "object_store_memory": 80_000_000}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head | {"_system_config": HEALTH})
    started = Machine(cluster)
    try:
        for _ in range(2):
            started.add()
        yield started
    finally:
        cluster.shutdown()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


def longer(folder: Path, executor: str, **extra: str) -> Path:
    """Twelve epochs, and one trial at a time, so that what is proposed does not depend on which ends first."""
    file = configuration(folder, "faults", executor=executor)
    more = ", ".join(f"{name}: {value}" for name, value in {"concurrent": 1, "retries": 60, **extra}.items())
    text = file.read_text()
    for old, new in (
        ("epochs: 2, predictor", "epochs: 12, predictor"),
        (f"executor: {executor}, workers: 1", f"executor: {executor}, workers: 1, {more}"),
    ):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = search("run", longer(folder, "serial"))
    assert done.returncode == 0, done.stderr
    return facts(folder / "runs" / "faults")


def suffer(machine: Machine, folder: Path, executor: str, kinds: Sequence[str], seed: int) -> tuple[Path, Written]:
    """Run to the end while a process of each of these kinds is killed, in this order.

    A kill comes a drawn number of trained epochs after the last one, so that the run may still be coming back, and a
    drawn time after that.
    """
    rng, left, due = np.random.default_rng(seed), list(kinds), 1
    kept, log = folder / "kept" / "faults", folder / "log"
    kept.mkdir(parents=True)
    extra = {"checkpoints": str(kept.parent)} | ({"storage": machine.postgres.url} if machine.postgres else {})
    words = command("run", longer(folder, executor, **extra), "--ray-address", machine.cluster.address)
    deadline = time.monotonic() + 600 + 90 * len(kinds)
    code = -signal.SIGKILL
    with log.open("wb") as output, Written(kept) as written:
        while code == -signal.SIGKILL:
            # With this process's environment as it is by now: a private Ray that was started in it has switched on
            # Ray's authentication there, which the cluster has inherited.
            driver = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=output)
            try:
                while driver.poll() is None:
                    assert time.monotonic() < deadline, (left, log.read_text()[-3000:])
                    time.sleep(0.05)
                    if written.read() < due or not left:
                        continue
                    time.sleep(rng.uniform(0, 1))
                    if driver.poll() is None and machine.kill(left[0], driver, rng):
                        left.pop(0)
                        due = written.read() + int(rng.integers(0, 6))
            finally:
                driver.kill()
                code = driver.wait()
    assert code == 0, log.read_text()[-3000:]
    assert not left, f"the run ended before these kills: {left}"
    return folder / "runs" / "faults", written


def check(found: dict[str, Any], expected: dict[str, Any], written: Written, kills: int) -> str:
    """Nothing is lost or double, and no fault costs more than an epoch; what was trained again."""
    numbers = [trial[0] for trial in found["trials"]]
    assert numbers == list(range(len(numbers))), "a trial was lost or counted twice"
    assert found == expected, "trials or family differ from the undisturbed run's"
    # An attempt trains the epoch again that the one before had begun; what runs on without its machine may save more.
    attempts = {number: written.attempts[number] - 1 for number in numbers}
    saved = {number: written.saved[number] - len(curve) for number, _, _, curve in found["trials"]}
    assert min(*attempts.values(), *saved.values()) >= 0
    assert sum(max(attempts[number], saved[number]) for number in numbers) <= kills
    return f"{sum(attempts.values())} attempts more than trials, {sum(saved.values())} epochs saved twice"


def storm(machine: Machine, folder: Path, executor: str, kinds: Sequence[str], expected: dict[str, Any]) -> None:
    """Kill in a drawn order and compare; prints the figures."""
    order = [str(kind) for kind in np.random.default_rng(SEED).permutation(kinds)]
    run, written = suffer(machine, folder, executor, order, SEED)
    figures = check(facts(run), expected, written, len(order))
    print(f"{executor}, seed {SEED}: killed {dict(machine.killed)}; nothing lost or double; {figures}")


@pytest.mark.slow
def test_kills_under_ray_train_change_nothing(machine: Machine, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    storm(machine, tmp_path, "ray_train", ["worker", "controller", "raylet", "driver", "gcs"], undisturbed)


@pytest.mark.slow
def test_kills_under_ray_tune_change_nothing(
    machine: Machine, postgres: Postgres, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    machine.postgres = postgres
    storm(machine, tmp_path, "ray_tune", ["trial", "raylet", "driver", "gcs", "storage"], undisturbed)


@pytest.mark.benchmark
@pytest.mark.parametrize("executor", list(FIFTY))
def test_twenty_five_kills_change_nothing(
    executor: str, machine: Machine, undisturbed: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "storage" in FIFTY[executor]:
        machine.postgres = request.getfixturevalue("postgres")
    storm(machine, tmp_path, executor, list(Counter(FIFTY[executor]).elements()), undisturbed)
