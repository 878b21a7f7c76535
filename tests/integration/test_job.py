"""A search as a job: submitted by `make submit` to a cluster of this test, stopped in the middle, submitted again.

Nothing but the processes that the test has started is ended: neither `ray stop` nor the address file of others is used.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.family.members import load_family
from search.identity.folder import study_in
from search.identity.saved import saved
from search.record.storage import JOURNAL, NoStudy
from search.record.trial import Trial
from search.setting.setting import prepare
from spaces.space import Space
from tests.places import ROOT
from tests.processes import children, free_port
from trainables.job import Report
from trainables.training.checkpoint import Checkpoint

pytestmark = pytest.mark.nightly
BIN = Path(sys.executable).parent
EPOCHS = 24


@dataclass
class Cluster:
    """A head of two processors with its dashboard at ``address``, and what its clients need to be let in."""

    address: str
    environment: dict[str, str]

    def submit(self, config: Path, runs: Path, log: Path) -> subprocess.Popen[bytes]:
        """`make submit`, which follows the job's output; the environment is taken as it is, not made."""
        words = ["make", "--old-file=.venv", "submit", f"BIN={BIN}"]
        words += [f"ADDRESS={self.address}", f"CONFIG={config}", f"RUNS={runs}"]
        with log.open("wb") as output:
            return subprocess.Popen(words, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT)

    def job(self, verb: str, job: str) -> str:
        """`ray job stop` or `ray job logs`; what it prints."""
        words = [BIN / "ray", "job", verb, "--address", self.address, job]
        return subprocess.run(words, env=self.environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="nars-"))  # short: names of sockets have at most 107 bytes
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text("of-this-test-only")
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",  # the job's `python`
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_JOB_STOP_WAIT_TIME_S": "120",  # a loaded machine may need more than the usual three
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    ports = {name: free_port() + 10 * position for position, name in enumerate(PORTS)}
    words = [BIN / "ray", "start", "--head", "--block", "--num-cpus=2", "--dashboard-host=127.0.0.1"]
    words += ["--object-store-memory=100000000", f"--temp-dir={folder}"]
    words += [f"--{name}={port}" for name, port in ports.items()]
    with (folder / "log").open("wb") as log:
        head = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{ports['dashboard-port']}"
        wait(lambda: status(address) == 401, head, folder / "log")
        yield Cluster(address, environment)
    finally:
        started = [pid for pid, _ in children(head.pid)]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in [head.pid, *started]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                head.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


PORTS = ("port", "dashboard-port", "ray-client-server-port", "dashboard-agent-listen-port")


def status(address: str) -> int | None:
    """What the dashboard answers to one who has no token; None while it does not."""
    try:
        with urllib.request.urlopen(f"{address}/api/jobs/", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None


def wait(holds: Callable[[], Any], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 600
    while not holds():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def small(folder: Path) -> Path:
    """configs/digits.yaml with four trials, one member and one final worker."""
    config = yaml.safe_load((ROOT / "configs" / "digits.yaml").read_text())
    config["search"] |= {"trials": 4, "initial": 3, "batch": 1, "epochs": EPOCHS}
    config["search"] |= {"predictor": "gp", "watched": "gp", "pretrain": 200}
    config["family"] |= {"max_macs": ["60k"], "epochs": 1}
    config["run"] |= {"workers": 1, "concurrent": 1, "checkpoints": str(folder / "kept")}
    config["tracking"] = {"enabled": False}
    file = folder / "digits.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


@dataclass
class Watch:
    """A run as one may read it at any moment."""

    run: Path
    kept: Path

    @cached_property
    def checkpoints(self) -> Path:
        """Those of the run, by its name and identity."""
        (folder,) = self.kept.glob(f"{self.run.name}-*")
        return folder

    @cached_property
    def space(self) -> Space:
        return prepare(saved(self.run)).space

    def trials(self) -> list[Trial]:
        if not (self.run / JOURNAL).exists():
            return []
        with contextlib.suppress(NoStudy):
            return study_in(self.run, saved(self.run), space=self.space).trials()
        return []

    def epochs_of(self, number: int) -> list[dict[str, Any]]:
        """The reports that the checkpoint of a trial holds."""
        state = Checkpoint(path=self.checkpoints / f"trial-{number}.pt").load()
        return [] if state is None else list(state["reports"])

    def in_the_middle(self) -> bool:
        """A trial has ended, and another one has just begun."""
        records = self.trials()
        open_ = [record.number for record in records if not record.is_finished]
        return len(open_) < len(records) and any(0 < len(self.epochs_of(number)) < EPOCHS // 3 for number in open_)


def test_a_job_that_is_stopped_and_submitted_again_ends_in_a_family(cluster: Cluster, tmp_path: Path) -> None:
    runs, log = tmp_path / "runs", tmp_path / "log"
    watch = Watch(runs / "digits", tmp_path / "kept")
    config = small(tmp_path)
    submitted = cluster.submit(config, runs, log)
    try:
        wait(watch.in_the_middle, submitted, log)
        job = re.search(r"raysubmit_\w+", log.read_text())
        assert job is not None
        cluster.job("stop", job[0])
        submitted.wait(timeout=300)  # with 0: to Ray a job that was stopped has not failed
        assert not (watch.run / "family").exists(), "the job ended before it was stopped"
    finally:
        submitted.kill()
    assert "stage 1: training candidates" in log.read_text(), "the job's output was not followed"
    assert "what has ended is recorded" in cluster.job("logs", job[0]), "the job did not end as on Ctrl-C"
    before = {record.number: record for record in watch.trials()}
    epochs_before = {number: watch.epochs_of(number) for number, record in before.items() if not record.is_finished}
    assert any(epochs_before.values()), "no trial had trained an epoch when the job was stopped"

    again = cluster.submit(config, runs, log)
    try:
        assert again.wait(timeout=1500) == 0, log.read_text()[-3000:]
    finally:
        again.kill()
    after = watch.trials()
    assert [record.number for record in after] == list(range(len(after)))
    assert sum(record.purpose == "search" for record in after) == 4
    assert all(record.is_finished and record.message is None for record in after)
    assert all(after[number] == record for number, record in before.items() if record.is_finished)
    for number, epochs in epochs_before.items():  # seconds, too, are those of the first job: nothing was trained twice
        assert list(after[number].reports[: len(epochs)]) == [Report(**epoch) for epoch in epochs]
    assert load_family(watch.run / "family").members
