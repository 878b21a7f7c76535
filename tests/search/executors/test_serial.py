"""The contract of executors on the one that needs no Ray; tests/integration/test_cluster.py holds it for the others."""

from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
import torch

from search.executors import serial
from search.executors.work import MESSAGE, failure_of
from tests.search.executors.jobs import EPOCHS, carry_out, family, finals_of, hopeless, jobs, place, raising
from trainables.data import digits
from trainables.final.jobs import FinalJob, checkpoint_of, network_of, train
from trainables.splits import DataError
from trainables.training.checkpoint import CheckpointError


def test_reports_and_outcomes_agree(tmp_path: Path) -> None:
    work = jobs(3)
    work[1] = hopeless(work[1])
    with serial.Executor(place(tmp_path)) as executor:
        heard = carry_out(executor, work, ended_early=2)
    assert {number: len(curve) for number, curve in heard.curves.items()} == {0: EPOCHS, 1: 0, 2: 1}
    assert [(n, r) for n, o in heard.outcomes.items() for r in o.reports] == heard.reports
    assert "training loss is" in str(heard.outcomes[1].message)


def test_an_exception_of_a_trial_is_its_failure(tmp_path: Path) -> None:
    work = jobs(2)
    work[0] = raising(work[0])
    heard = carry_out(serial.Executor(place(tmp_path)), work)
    failed, trained = heard.outcomes[0], heard.outcomes[1]
    assert (failed.message, failed.reports) == ("ValueError: a <= 0", ())
    assert str(failed.trace).splitlines()[-1] == "ValueError: a <= 0"
    assert "mixup.py" in str(failed.trace)
    assert (trained.message, trained.trace, len(trained.reports)) == (None, None, EPOCHS)


def test_what_an_exception_says_is_one_short_line() -> None:
    failure = failure_of(RuntimeError("shapes\n" + 1000 * "x"))
    assert failure.message.startswith("RuntimeError: shapes x")
    assert len(failure.message) == MESSAGE


def test_a_worker_of_several_is_not_sure_of_what_a_lost_one_may_cause() -> None:
    errors = [RuntimeError("Connection closed by peer"), ConnectionError("gone"), ValueError("a <= 0")]
    assert [failure_of(error, workers=2).certain for error in errors] == [False, False, True]
    assert all(failure_of(error).certain for error in errors)


@pytest.mark.parametrize("error", [DataError("no shard"), CheckpointError("full"), torch.AcceleratorError("assert")])
def test_what_the_training_is_not_to_blame_for_is_raised(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        failure_of(error)


def test_data_that_cannot_be_read_ends_the_run_and_not_the_trial(tmp_path: Path) -> None:
    executor = serial.Executor(place(tmp_path, keywords={"wrong": 1}))
    with pytest.raises(DataError, match=r"data\.wrong is not a keyword"):
        carry_out(executor, jobs(1))
    with pytest.raises(DataError, match=r"data\.wrong is not a keyword"):
        finals_of(executor, family([job.candidate for job in jobs(3)]))


def test_a_final_training_fails_alone(tmp_path: Path) -> None:
    finals = finals_of(serial.Executor(place(tmp_path)), family([job.candidate for job in jobs(3)]))
    assert finals.epochs == {"paused": [1], "whole": [1]}
    assert {name: failure.message for name, failure in finals.failures.items()} == {"broken": "ValueError: a <= 0"}
    assert "mixup.py" in str(finals.failures["broken"].trace)


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
    first = train(job, digits.load(), tmp_path, checkpoints=there.checkpoints)
    next(first)
    orphan = checkpoint_of(job, there.final).load()
    finals = finals_of(serial.Executor(there), [job])
    assert (finals.epochs, finals.failures) == ({"one": [1, 2]}, {})
    trained = network_of(job, digits.load(), there.final).state_dict()
    assert orphan is not None
    replace(checkpoint_of(job, there.final), attempt=1).save(orphan)  # by a worker of a lost machine that still runs
    late = network_of(job, digits.load(), there.final).state_dict()
    assert all((late[name] == value).all() for name, value in trained.items())
    finals_of(serial.Executor(there), [job])
    files = {entry.rpartition("/")[2] for entry in fsspec.filesystem("memory").ls("/nars-final/final", detail=False)}
    assert files == {"one.1.pt", "one.2.pt"}, "a finished training was claimed again"
    assert not (tmp_path / "final").exists()
