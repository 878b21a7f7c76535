"""What is made of a group of final trainings that is given up; a real one is in tests/integration."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from search.executors.work import Failure, Workplace
from tests.search.executors.jobs import Finals, family, jobs, place
from trainables.final.jobs import FinalJob
from trainables.job import Report
from trainables.training.checkpoint import CheckpointError

ray_final = pytest.importorskip("search.executors.ray_final")
REPORT = Report(epoch=1, accuracy=0.5, loss=1.0, seconds=1.0)
OnItem = Callable[[str, Report | Failure], None]


def trained(monkeypatch: pytest.MonkeyPatch, folder: Path, fit: Callable[..., Exception | None]) -> Finals:
    finals = Finals()
    monkeypatch.setattr(ray_final, "_fit", fit)
    ray_final.train(place(folder), family([job.candidate for job in jobs(3)]), finals.report, finals.fail)
    return finals


def test_a_group_that_is_lost_too_often_goes_on_without_that_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs: list[list[str]] = []

    def fit(there: Workplace, left: Sequence[FinalJob], on_item: OnItem) -> Exception | None:
        runs.append([job.name for job in left])
        if len(runs) == 1:
            on_item("broken", REPORT)
            return RuntimeError("a worker\ndied")
        on_item("whole", REPORT)
        return None

    finals = trained(monkeypatch, tmp_path, fit)
    message = "its process was lost more often than run.retries allows; last: a worker died"
    assert runs == [["broken", "paused", "whole"], ["whole"]]
    assert finals.epochs == {"broken": [1], "whole": [1]}
    assert {name: failure.message for name, failure in finals.failures.items()} == {"paused": message}


def test_a_group_whose_trainings_have_ended_may_be_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fit(there: Workplace, left: Sequence[FinalJob], on_item: OnItem) -> Exception:
        for job in left:
            on_item(job.name, REPORT)
        return RuntimeError("the group was lost")

    assert not trained(monkeypatch, tmp_path, fit).failures


def test_storage_that_cannot_be_used_ends_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="full"):
        trained(monkeypatch, tmp_path, lambda *arguments: CheckpointError("full"))
