"""What Tune is told and what is made of its answers; what needs a running Ray is in tests/integration."""

from collections.abc import Callable
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from tests.search.executors.jobs import Heard, jobs
from trainables.job import Job, Report
from trainables.splits import DataError

ray_tune = pytest.importorskip("search.executors.ray_tune")


def pending(name: str) -> Any:
    return SimpleNamespace(trial_id=name, status=ray_tune.Trial.PENDING)


def test_a_trial_whose_process_starts_is_not_given_another_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr(ray_tune, "time", clock)
    running = SimpleNamespace(trial_id="c", status=ray_tune.Trial.RUNNING)
    first, second = pending("a"), pending("b")
    live = [first, running]
    controller = SimpleNamespace(get_live_trials=lambda: live)
    order = ray_tune._Stopping(None)
    now = 100.0
    assert order.choose_trial_to_run(controller) is None
    now += ray_tune.STARTS_WITHIN_SECONDS - 1
    live.append(second)
    assert order.choose_trial_to_run(controller) is None
    now += 2
    assert order.choose_trial_to_run(controller) is first, "its process finds no machine, so it may have any"
    first.status = ray_tune.Trial.RUNNING
    assert order.choose_trial_to_run(controller) is None
    first.status = ray_tune.Trial.PENDING
    assert order.choose_trial_to_run(controller) is None, "it waits anew"


REPORT = Report(epoch=1, accuracy=0.5, loss=1.0, seconds=1.0)
FINISHED = ray_tune.Searcher.FINISHED


def searcher(heard: Heard, next_job: Callable[[], Job | None] | None = None, retries: int = 0) -> Any:
    left = iter(jobs(2))
    lost = ray_tune._Lost(next_job or (lambda: next(left, None)), retries)
    return ray_tune._Jobs(lost, heard.report, heard.outcome)


def test_a_failure_keeps_its_message_and_trace() -> None:
    heard = Heard()
    tuned = searcher(heard)
    tuned.suggest("a")
    tuned.on_trial_result("a", asdict(REPORT))
    tuned.on_trial_complete("a", {"message": "ValueError: a <= 0", "trace": "mixup.py", "accuracy": 0.0})
    assert (heard.outcomes[0].message, heard.outcomes[0].trace) == ("ValueError: a <= 0", "mixup.py")
    assert heard.outcomes[0].reports == (REPORT,)


def test_a_lost_process_is_retried_and_then_given_up_with_its_last_words() -> None:
    heard = Heard()
    tuned = searcher(heard, retries=1)
    for trial in ("a", "b"):
        assert tuned.suggest(trial)["job"].number == 0
        tuned.on_trial_result(trial, {"last_words": "CUDA error", "accuracy": 0.0})
        tuned.on_trial_complete(trial, error=True)
    assert heard.outcomes[0].message == "its process was lost more often than run.retries allows; last: CUDA error"


def test_data_that_a_worker_cannot_read_ends_the_run_with_its_own_words() -> None:
    heard = Heard()
    tuned = searcher(heard)
    tuned.suggest("a")
    tuned.suggest("b")
    tuned.on_trial_complete("a", {"broken": DataError("no shard"), "accuracy": 0.0})
    tuned.on_trial_result("b", asdict(REPORT))
    assert str(tuned.error) == "no shard"
    assert tuned.suggest("c") == FINISHED
    assert "b" in tuned.stopped, "a trial goes on though the run has ended"
    tuned.on_trial_complete("b", asdict(REPORT))
    assert (heard.outcomes, heard.reports) == ({}, [])


def test_an_error_of_the_driver_is_not_taken_for_one_of_a_trial() -> None:
    def no_job() -> Job | None:
        raise DataError("the study is away")

    tuned = searcher(Heard(), no_job)
    assert tuned.suggest("a") == FINISHED
    assert str(tuned.error) == "the study is away"
