"""Which trial a process that became free goes to; what needs a running Ray is in tests/integration."""

from types import SimpleNamespace
from typing import Any

import pytest

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
