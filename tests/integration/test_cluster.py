"""Executors on a real Ray: the same jobs give the same reports everywhere, whoever is lost."""

import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from search.executors import serial
from search.executors.work import Job, PlacementError
from tests.integration.machines import machines
from tests.integration.processes import children
from tests.search.executors.jobs import EPOCHS, Heard, carry_out, family, finals_of, hopeless, jobs, place, raising
from tests.trainables.neutral import neutral
from trainables.data.sources import load_source
from trainables.splits import DataError
from trainables.training.checkpoint import CheckpointError
from trainables.training.trial import Report

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
"""Ray warns of files that it leaves open, which is not ours to mend."""

ray_train = pytest.importorskip("search.executors.ray_train")
ray_tune = pytest.importorskip("search.executors.ray_tune")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    given = jobs()
    given[1] = hopeless(given[1])
    with serial.Executor(place(tmp_path_factory.mktemp("serial"))) as executor:
        return carry_out(executor, given, ended_early=2)


@pytest.mark.parametrize("module", ["ray_tune", "ray_train"])
def test_ray_gives_the_same_reports_as_the_serial_executor(module: str, reference: Heard, tmp_path: Path) -> None:
    given = jobs()
    given[1] = hopeless(given[1])
    with globals()[module].Executor(place(tmp_path)) as executor:
        heard = carry_out(executor, given, ended_early=2)
        assert not carry_out(executor, []).outcomes
    assert heard.curves == reference.curves
    assert "training loss is" in str(heard.outcomes[1].message)
    assert len(heard.reports) == len({(number, report.epoch) for number, report in heard.reports})


@pytest.mark.parametrize("module", ["ray_tune", "ray_train"])
def test_ray_tells_failures_as_the_serial_executor_does(module: str, tmp_path: Path) -> None:
    """No retry: with ``retries`` 0, an exception that was taken for a lost process would be given up as one."""
    given = jobs(2)
    given[0] = raising(given[0])
    with globals()[module].Executor(place(tmp_path, retries=0)) as executor:
        heard = carry_out(executor, given)
        finals = finals_of(executor, family([job.candidate for job in jobs(3)]))
        executor.place = replace(executor.place, keywords={"wrong": 1})
        with pytest.raises(DataError, match=r"data\.wrong is not a keyword"):
            carry_out(executor, jobs(1))
    assert {number: outcome.message for number, outcome in heard.outcomes.items()} == {0: "ValueError: a <= 0", 1: None}
    assert "mixup.py" in str(heard.outcomes[0].trace)
    assert finals.epochs == {"alone": [1]}
    assert {name: failure.message for name, failure in finals.failures.items()} == {
        "teacher": "ValueError: a <= 0",
        "pupil": "its teacher 'teacher' failed: ValueError: a <= 0",
    }


class Homes(Heard):
    """Notes on how many machines of this test the workers of a trial are; each has a raylet, their parent."""

    def report(self, number: int, report: Report) -> bool:
        raylets = [pid for pid, words in children(os.getpid()) if "raylet/raylet" in words]
        homes = [pid for pid in raylets if any("RayTrainWorker" in words for _, words in children(pid))]
        assert len(homes) == 2, "the two workers are not on two nodes"
        return super().report(number, report)


def test_two_workers_on_two_nodes_give_the_loss_of_one_at_the_same_global_batch(tmp_path: Path) -> None:
    """Of an epoch of two steps, the second of which sees what the first has changed.

    More steps amplify rounding: that it is no more than that is shown in double precision by test_world.py.
    """
    few = {"validation": 0.3, "test": 0.6}
    batch = math.ceil(len(load_source("digits", few).train) / 2)
    given = [Job(number=0, candidate=neutral("tiny", batch), epochs=1, stop=1, seed=0)]
    alone = carry_out(serial.Executor(replace(place(tmp_path / "one"), keywords=few)), given)
    with machines(2, 1) as cluster:
        there = place(tmp_path / "two", workers_per_trial=2, concurrent=1, address=str(cluster.address))
        with ray_train.Executor(replace(there, keywords=few)) as executor:
            together = carry_out(executor, given, heard=Homes())
    [(_, _, loss)], [(_, _, shared_loss)] = alone.curves[0], together.curves[0]
    assert shared_loss == pytest.approx(loss, rel=1e-5)


class Killer:
    """Listens as ``Heard`` does and kills a worker of Ray Train with each of the first reports of an epoch."""

    def __init__(self, kills: int) -> None:
        self.heard, self.left = Heard(), kills

    def report(self, number: int, report: object) -> bool:
        if self.left:
            self.left -= 1
            workers = [pid for pid, words in children(os.getpid()) if "RayTrainWorker" in words]
            assert workers, "no process of a worker was found"
            os.kill(workers[-1], signal.SIGKILL)
        return self.heard.report(number, report)  # type: ignore[arg-type]


def run_with(killer: Killer, executor: serial.Executor, count: int) -> None:
    left = iter(jobs(count))
    executor.run(lambda: next(left, None), killer.report, killer.heard.outcome)


def test_a_lost_worker_costs_no_trial(reference: Heard, tmp_path: Path) -> None:
    killer = Killer(1)
    with ray_train.Executor(place(tmp_path)) as executor:
        run_with(killer, executor, 1)
    assert killer.heard.curves[0] == reference.curves[0]
    assert len(killer.heard.reports) == EPOCHS


def test_a_trial_that_kills_its_worker_is_given_up(tmp_path: Path) -> None:
    """It dies with its first report, which is heard once; then before every later one."""
    with ray_train.Executor(place(tmp_path, retries=0, concurrent=1)) as executor:
        killer = Killer(1)
        run_with(killer, executor, 2)
    assert "lost more often than run.retries allows" in str(killer.heard.outcomes[0].message)
    assert killer.heard.outcomes[1].message is None


@pytest.mark.parametrize("module", ["ray_tune", "ray_train"])
def test_a_quota_that_binds_is_one_sentence(module: str, tmp_path: Path) -> None:
    run: Callable[[], object] = lambda: carry_out(executor, jobs(1))  # noqa: E731
    with (
        globals()[module].Executor(place(tmp_path, checkpoint_quota=10)) as executor,
        pytest.raises(CheckpointError, match=r"run\.checkpoint_quota is 10"),
    ):
        run()


def test_what_can_never_be_placed_ends_at_once(tmp_path: Path) -> None:
    with pytest.raises(PlacementError, match=r"a trial with 64 worker\(s\) needs 64 CPU, but the cluster has"):
        ray_train.Executor(place(tmp_path, workers_per_trial=64)).__enter__()


def test_a_tune_trial_has_one_process(tmp_path: Path) -> None:
    with pytest.raises(PlacementError, match=r"use run\.executor: ray_train"):
        ray_tune.Executor(place(tmp_path, workers_per_trial=2))
