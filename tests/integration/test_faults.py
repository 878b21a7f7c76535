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

from search.identity.folder import settled
from search.identity.saved import resolved
from search.setting.config import read
from search.setting.setting import prepare
from tests.integration.machines import Machines, machines
from tests.integration.written import Written
from tests.places import ROOT
from tests.runs import command, configuration, facts, search
from tests.search.postgres import Postgres, postgres_server

pytestmark = pytest.mark.filterwarnings("ignore")
SEED = int(os.environ.get("NARS_FAULTS_SEED", "0"))
"""Of the order of the kills and of their moments."""

FIFTY = {
    "ray_tune": {"trial": 8, "raylet": 4, "driver": 4, "gcs": 5, "storage": 4},
    "ray_train": {"worker": 8, "controller": 6, "raylet": 4, "driver": 4, "gcs": 3},
}
"""What is killed, and how often, by executor: fifty in all."""


@dataclass
class Storm:
    """What is killed: processes of a Ray, its driver, and the study's server."""

    machines: Machines
    postgres: Postgres | None = None
    killed: Counter[str] = field(default_factory=Counter)

    def kill(self, kind: str, driver: subprocess.Popen[bytes], rng: np.random.Generator) -> bool:
        """End a process of the kind; False if there is none now."""
        if kind == "driver":
            driver.kill()
        elif kind == "storage":
            assert self.postgres is not None
            self.postgres.control("restart", "-m", "immediate")
        elif not self.machines.lose(kind, lambda running: running[int(rng.integers(len(running)))], rng.uniform(0, 2)):
            return False
        self.killed[kind] += 1
        return True


@pytest.fixture
def storm() -> Iterator[Storm]:
    """On two nodes of one processor."""
    with machines(2, 1, on_disk=True) as pair:
        yield Storm(pair)


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


def checkpoints_of(file: Path) -> Path:
    """Where the trials of a configuration's run will keep theirs: below ``run.checkpoints``, by the run's identity."""
    setting, _ = settled(prepare(resolved(read(file))), begun=False)
    assert setting.checkpoints is not None
    return Path(setting.checkpoints)


def suffer(storm: Storm, folder: Path, executor: str, kinds: Sequence[str], seed: int) -> tuple[Path, Written]:
    """Run to the end while a process of each of these kinds is killed, in this order.

    A kill comes a drawn number of trained epochs after the last one, so that the run may still be coming back, and a
    drawn time after that.
    """
    rng, left, due = np.random.default_rng(seed), list(kinds), 1
    log = folder / "log"
    extra = {"checkpoints": str(folder / "kept")} | ({"storage": storm.postgres.url} if storm.postgres else {})
    file = longer(folder, executor, **extra)
    checkpoints = checkpoints_of(file)
    checkpoints.mkdir(parents=True)
    words = command("run", file, "--ray-address", storm.machines.address)
    deadline = time.monotonic() + 600 + 90 * len(kinds)
    code = -signal.SIGKILL
    with log.open("wb") as output, Written(checkpoints) as written:
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
                    if driver.poll() is None and storm.kill(left[0], driver, rng):
                        left.pop(0)
                        due = written.read() + int(rng.integers(0, 4))
            finally:
                driver.kill()
                code = driver.wait()
    assert code == 0, log.read_text()[-3000:]
    assert not left, f"the run ended before these kills: {left}"
    return folder / "runs" / "faults", written


def check(outcome: dict[str, Any], expected: dict[str, Any], written: Written, kills: int) -> str:
    """Nothing is lost or double, and no fault costs more than an epoch; what was trained again."""
    numbers = [trial[0] for trial in outcome["trials"]]
    assert numbers == list(range(len(numbers))), "a trial was lost or counted twice"
    assert outcome == expected, "trials or family differ from the undisturbed run's"
    # An attempt trains the epoch again that the one before had begun; what runs on without its machine may save more.
    attempts = {number: written.attempts[number] - 1 for number in numbers}
    saved = {number: written.saved[number] - len(curve) for number, _, _, curve in outcome["trials"]}
    assert min(*attempts.values(), *saved.values()) >= 0
    assert sum(max(attempts[number], saved[number]) for number in numbers) <= kills
    return f"{sum(attempts.values())} attempts more than trials, {sum(saved.values())} epochs saved twice"


def endure(storm: Storm, folder: Path, executor: str, kinds: Sequence[str], expected: dict[str, Any]) -> None:
    """Kill in a drawn order and compare; prints the figures."""
    order = [str(kind) for kind in np.random.default_rng(SEED).permutation(kinds)]
    run, written = suffer(storm, folder, executor, order, SEED)
    figures = check(facts(run), expected, written, len(order))
    print(f"{executor}, seed {SEED}: killed {dict(storm.killed)}; nothing lost or double; {figures}")


@pytest.mark.nightly
def test_kills_under_ray_train_change_nothing(storm: Storm, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    endure(storm, tmp_path, "ray_train", ["worker", "controller", "raylet", "driver", "gcs"], undisturbed)


@pytest.mark.nightly
def test_kills_under_ray_tune_change_nothing(
    storm: Storm, postgres: Postgres, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    storm.postgres = postgres
    endure(storm, tmp_path, "ray_tune", ["trial", "raylet", "driver", "gcs", "storage"], undisturbed)


@pytest.mark.benchmark
@pytest.mark.parametrize("executor", list(FIFTY))
def test_twenty_five_kills_change_nothing(
    executor: str, storm: Storm, undisturbed: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "storage" in FIFTY[executor]:
        storm.postgres = request.getfixturevalue("postgres")
    endure(storm, tmp_path, executor, list(Counter(FIFTY[executor]).elements()), undisturbed)
