"""Executors on a real Ray: the same jobs give the same reports everywhere, whoever is lost."""

import math
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from search.executors import serial
from search.executors.work import PlacementError
from tests.integration.machines import Machines, machines
from tests.processes import CONTEXT, children
from tests.search.executors.jobs import EPOCHS, Heard, carry_out, family, finals_of, hopeless, jobs, place, raising
from tests.trainables.neutral import neutral
from trainables.data.sources import load_source
from trainables.job import Job, Report
from trainables.splits import DataError
from trainables.training.checkpoint import Checkpoint, CheckpointError

pytestmark = [pytest.mark.nightly, pytest.mark.filterwarnings("ignore")]
"""Ray warns of files that it leaves open, which is not ours to mend."""

ray_train = pytest.importorskip("search.executors.ray_train")
ray_tune = pytest.importorskip("search.executors.ray_tune")
EXECUTORS = {"ray_tune": ray_tune.Executor, "ray_train": ray_train.Executor}


@pytest.fixture(scope="module")
def pair() -> Iterator[Machines]:
    """Two machines of one processor each."""
    with machines(2, 1, on_disk=True) as started:
        yield started


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """One trial that fails, and one that is ended early."""
    work = jobs(5)
    work[1] = hopeless(work[1])
    with serial.Executor(place(tmp_path_factory.mktemp("serial"))) as executor:
        return carry_out(executor, work, ended_early=2)


def test_two_workers_on_two_nodes_give_the_loss_of_one_at_the_same_global_batch(pair: Machines, tmp_path: Path) -> None:
    """Of an epoch of two steps, the second of which sees what the first has changed.

    More steps amplify rounding: that it is no more than that is shown in double precision by test_world.py.
    """
    few = {"validation": 0.3, "test": 0.6}
    batch = math.ceil(len(load_source("digits", few).train) / 2)
    work = [Job(number=0, candidate=neutral("tiny", batch), epochs=1, stop=1, seed=0)]
    alone = carry_out(serial.Executor(replace(place(tmp_path / "one"), keywords=few)), work)
    there = place(tmp_path / "two", workers_per_trial=2, concurrent=1, address=pair.address)
    with ray_train.Executor(replace(there, keywords=few)) as executor:
        together = carry_out(executor, work, heard=Homes())
    [(_, _, loss)], [(_, _, shared_loss)] = alone.curves[0], together.curves[0]
    assert shared_loss == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("name", EXECUTORS)
def test_ray_tells_failures_as_the_serial_executor_does(name: str, pair: Machines, tmp_path: Path) -> None:
    """No retry: with ``retries`` 0, an exception that was taken for a lost process would be given up as one."""
    work = jobs(2)
    work[0] = raising(work[0])
    with EXECUTORS[name](place(tmp_path, address=pair.address, concurrent=1, retries=0)) as executor:
        heard = carry_out(executor, work)
        finals = finals_of(executor, family([job.candidate for job in jobs(3)]))
        executor.place = replace(executor.place, keywords={"wrong": 1})
        with pytest.raises(DataError, match=r"data\.wrong is not a keyword"):
            carry_out(executor, jobs(1))
    assert {number: outcome.message for number, outcome in heard.outcomes.items()} == {0: "ValueError: a <= 0", 1: None}
    assert "mixup.py" in str(heard.outcomes[0].trace)
    assert finals.epochs == {"paused": [1], "whole": [1]}
    assert {name: failure.message for name, failure in finals.failures.items()} == {"broken": "ValueError: a <= 0"}


class Homes(Heard):
    """Notes on how many machines of this test the workers of a trial are; each has a raylet, their parent."""

    def report(self, number: int, report: Report) -> bool:
        raylets = [pid for pid, words in children(os.getpid()) if "raylet/raylet" in words]
        homes = [pid for pid in raylets if any("RayTrainWorker" in words for _, words in children(pid))]
        assert len(homes) == 2, "the two workers are not on two nodes"
        return super().report(number, report)


@dataclass
class Killer(Heard):
    """Loses something with each of the first reports."""

    machines: Machines | None = None
    kinds: list[str] = field(default_factory=list)

    def report(self, number: int, report: Report) -> bool:
        goes_on = super().report(number, report)
        if self.kinds and self.machines is not None:
            assert self.machines.lose(self.kinds.pop(0)), "there is no such process"
        return goes_on


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("ray_tune", ["trial", "raylet", "gcs"]), ("ray_train", ["worker", "controller", "raylet", "gcs"])],
)
def test_jobs_give_the_reports_of_the_serial_executor_whatever_is_lost(
    name: str, kinds: Sequence[str], pair: Machines, reference: Heard, tmp_path: Path
) -> None:
    work = jobs(5)
    work[1] = hopeless(work[1])
    killer = Killer(ended_early=2, machines=pair, kinds=list(kinds))
    with EXECUTORS[name](place(tmp_path, address=pair.address, concurrent=1, retries=9)) as executor:
        carry_out(executor, work, heard=killer)
        assert not carry_out(executor, []).outcomes
    assert not killer.kinds
    assert killer.curves == reference.curves
    assert "training loss is" in str(killer.outcomes[1].message)
    if name == "ray_train":  # Tune tells the reports of a trial again whose process was lost
        assert heard_once(killer)


def heard_once(heard: Heard) -> bool:
    return len(heard.reports) == len({(number, report.epoch) for number, report in heard.reports})


def test_two_trials_at_a_time_give_the_reports_of_one(pair: Machines, reference: Heard, tmp_path: Path) -> None:
    with ray_tune.Executor(place(tmp_path, address=pair.address)) as executor:
        heard = carry_out(executor, [job for job in jobs(5) if job.number in (0, 3)])
    assert heard.curves == {number: reference.curves[number] for number in (0, 3)}
    assert heard_once(heard)


def _until_the_first_report(name: str, folder: Path, address: str) -> None:
    """In a process of its own, which is lost then."""

    class Lost(Heard):
        def report(self, number: int, report: Report) -> bool:
            os.kill(os.getpid(), signal.SIGKILL)
            return True

    with EXECUTORS[name](place(folder, address=address, concurrent=1)) as executor:
        carry_out(executor, jobs(1), heard=Lost())


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_lost_driver_costs_no_epoch(name: str, pair: Machines, reference: Heard, tmp_path: Path) -> None:
    driver: Any = CONTEXT.Process(target=_until_the_first_report, args=(name, tmp_path, pair.address))
    driver.start()
    driver.join()
    assert driver.exitcode == -signal.SIGKILL
    state = Checkpoint(path=tmp_path / "checkpoints" / "trial-0.pt").load()
    assert state is not None
    with EXECUTORS[name](place(tmp_path, address=pair.address, concurrent=1)) as executor:
        heard = carry_out(executor, jobs(1))
    assert heard.curves[0] == reference.curves[0]
    assert heard.reports[0][1].seconds == state["reports"][0]["seconds"], "the first epoch was trained again"


def test_a_trial_that_kills_its_worker_is_given_up(pair: Machines, tmp_path: Path) -> None:
    """It dies with its first report, which is heard once; then before every later one."""
    killer = Killer(machines=pair, kinds=["worker"])
    with ray_train.Executor(place(tmp_path, address=pair.address, retries=0, concurrent=1)) as executor:
        carry_out(executor, jobs(2), heard=killer)
    assert "lost more often than run.retries allows" in str(killer.outcomes[0].message)
    assert killer.outcomes[1].message is None
    assert len(killer.outcomes[1].reports) == EPOCHS


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_quota_that_binds_is_one_sentence(name: str, pair: Machines, tmp_path: Path) -> None:
    with (
        EXECUTORS[name](place(tmp_path, address=pair.address, concurrent=1, checkpoint_quota=10)) as executor,
        pytest.raises(CheckpointError, match=r"run\.checkpoint_quota is 10"),
    ):
        carry_out(executor, jobs(1))


def test_what_can_never_be_placed_ends_at_once(pair: Machines, tmp_path: Path) -> None:
    with pytest.raises(PlacementError, match=r"a trial with 64 worker\(s\) needs 64 CPU, but the cluster has"):
        ray_train.Executor(place(tmp_path, address=pair.address, workers_per_trial=64)).__enter__()
