"""The contract of executors on the one that needs no Ray; tests/integration/test_cluster.py holds it for the others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from search.executors import serial
from search.executors.work import PlacementError
from tests.search.executors.jobs import EPOCHS, carry_out, hopeless, jobs, place
from trainables.data import digits
from trainables.final.jobs import FinalJob, checkpoint_of, network_of, train_all
from trainables.training.checkpoint import CheckpointError
from trainables.training.trial import Report


def test_reports_and_outcomes_agree(tmp_path: Path) -> None:
    given = jobs(3)
    given[1] = hopeless(given[1])
    with serial.Executor(place(tmp_path)) as executor:
        heard = carry_out(executor, given, ended_early=2)
    assert {number: len(curve) for number, curve in heard.curves.items()} == {0: EPOCHS, 1: 0, 2: 1}
    assert [(n, r) for n, o in heard.outcomes.items() for r in o.reports] == heard.reports
    assert "training loss is" in str(heard.outcomes[1].message)


@pytest.mark.parametrize("wrong", [{"workers": 2}, {"workers_per_trial": 2}, {"concurrent": 2}, {"address": "auto"}])
def test_what_needs_ray_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(PlacementError, match="executor 'serial' runs one trial with one worker"):
        serial.Executor(place(tmp_path, **wrong))


def test_a_quota_that_binds_ends_the_run_and_not_the_trial(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"run\.checkpoint_quota is 10; raise it"):
        carry_out(serial.Executor(place(tmp_path, checkpoint_quota=10)), jobs(1))


def test_checkpoints_at_a_uri(tmp_path: Path) -> None:
    there = place(tmp_path, checkpoints="memory://nars-serial")
    first = carry_out(serial.Executor(there), jobs(1), ended_early=0)
    again = carry_out(serial.Executor(there), jobs(1))
    assert again.reports[0] == first.reports[0], "the second run began anew"
    assert not (tmp_path / "checkpoints").exists()


def test_final_trainings_at_a_uri_are_kept_by_attempt(tmp_path: Path) -> None:
    there = place(tmp_path, checkpoints="memory://nars-final")
    job = FinalJob(name="one", candidate=jobs(1)[0].candidate, epochs=EPOCHS, seed=0)
    first = train_all([job], digits.load(), tmp_path, checkpoints=there.checkpoints)
    next(first)
    orphan = checkpoint_of(job, there.final).load()
    heard: list[tuple[str, Report]] = []
    serial.Executor(there).train([job], lambda name, report: heard.append((name, report)), fails)
    assert [report.epoch for _, report in heard] == [1, 2]
    trained = network_of(job, digits.load(), there.final).state_dict()
    assert orphan is not None
    replace(checkpoint_of(job, there.final), attempt=1).save(orphan)  # by a worker of a lost machine that still runs
    late = network_of(job, digits.load(), there.final).state_dict()
    assert all((late[name] == value).all() for name, value in trained.items())
    serial.Executor(there).train([job], lambda name, report: None, fails)
    files = {entry.rpartition("/")[2] for entry in fsspec.filesystem("memory").ls("/nars-final/final", detail=False)}
    assert files == {"one.1.pt", "one.2.pt"}, "a finished training was claimed again"
    assert not (tmp_path / "final").exists()
