"""Finished runs beside each other, and the list of runs."""

import fcntl
import re
from pathlib import Path

import optuna
import pytest

from search.__main__ import main
from search.console.compare import Finished, differences, hypervolume, read_finished, rows
from search.console.runs import row_of, runs_in
from search.family.members import BudgetRow, Family
from search.record.journal import Journal
from spaces.mistake import Mistake
from tests.search.products import member


def family(*accuracies: float) -> Family:
    """Members of 1k, 10k, ... macs, one for each budget of as many."""
    members = tuple(
        member(f"member-{place}", macs=10 ** (place + 2), search_accuracy=share, test_accuracy=share)
        for place, share in enumerate(accuracies, start=1)
    )
    budgets = tuple(BudgetRow(max_macs=float(one.macs), member=one.name) for one in members)
    return Family(members=members, budgets=budgets, test_images=200)


def write_run(folder: Path, trials: int, *accuracies: float) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"name: {folder.name}\nsearch: {{trials: {trials}, initial: 3}}\n")
    if accuracies:
        family(*accuracies).save(folder / "family")
    return folder


def finished(name: str, *accuracies: float) -> Finished:
    return Finished(name=name, family=family(*accuracies), settings={}, data="", folder=Path("nowhere"))


def test_the_hypervolume_is_the_mean_accuracy_over_budgets() -> None:
    assert hypervolume(finished("a", 0.6, 0.8), 1e3, 1e5) == pytest.approx((0.6 + 0.8) / 2)
    assert hypervolume(finished("a", 0.6, 0.8), 1e2, 1e5) == pytest.approx((0.0 + 0.6 + 0.8) / 3)
    assert hypervolume(finished("a", 0.6, 0.5), 1e3, 1e5) == pytest.approx(0.6)  # the second is beaten
    assert hypervolume(finished("a", 0.6, 0.8, 0.9), 1e3, 1e5) == pytest.approx((0.6 + 0.8) / 2)


def test_a_budget_takes_the_best_on_search_validation_that_fits() -> None:
    run = finished("a", 0.6, 0.8)
    assert run.best_within(999) is None
    assert [(one.name if one else "") for one in map(run.best_within, (1e3, 5e4))] == ["member-1", "member-2"]


def test_runs_are_put_beside_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [write_run(tmp_path / "a", 8, 0.6, 0.8), write_run(tmp_path / "b", 20, 0.7, 0.75, 0.9)]
    page = tmp_path / "page.html"
    assert main(["compare", *map(str, folders), "--to", str(page)]) == 0
    lines = [re.split(r"  +", line) for line in capsys.readouterr().out.splitlines()]
    assert ["1k", ".600 (.531-.665) at 1k", ".700 (.633-.759) at 1k"] in lines
    assert ["100k", ".800 (.739-.850) at 10k", ".900 (.851-.934) at 100k"] in lines
    assert ["search.trials", "8", "20"] in lines
    text = page.read_text()
    assert "<svg" in text
    assert "search.trials" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_runs_of_one_name_are_told_apart_and_equal_settings_are_none(tmp_path: Path) -> None:
    runs = read_finished([write_run(tmp_path / "x" / "a", 8, 0.6), write_run(tmp_path / "y" / "a", 8, 0.7)])
    assert rows(runs)[0][1:] == (str(tmp_path / "x" / "a"), str(tmp_path / "y" / "a"))
    assert len(differences(runs)) == 1


def test_what_cannot_be_compared_is_a_sentence(tmp_path: Path) -> None:
    done, begun = write_run(tmp_path / "a", 8, 0.6), write_run(tmp_path / "b", 8)
    with pytest.raises(Mistake, match="at least two"):
        read_finished([done])
    with pytest.raises(Mistake, match="has no family yet"):
        read_finished([done, begun])
    with pytest.raises(Mistake, match="holds no run"):
        read_finished([done, tmp_path / "nothing"])


def test_runs_are_listed_with_state_and_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done, going = write_run(tmp_path / "done", 8, 0.6, 0.8), write_run(tmp_path / "going", 8)
    write_run(tmp_path / "without its journal", 8, 0.6)
    for folder in (done, going):
        storage = optuna.storages.JournalStorage(Journal(str(folder / "study.journal")))
        study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
        for purpose, value in (("search", 0.5), ("search", 0.7), ("repeat", 0.9)):
            study.add_trial(optuna.trial.create_trial(value=value, user_attrs={"purpose": purpose}))
    broken = write_run(tmp_path / "broken", 8)
    (broken / "config.yaml").write_text("name: [")
    with (going / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        states = {row.folder.name: (row.state, row.trials, row.best) for row in runs_in([tmp_path])}
    assert states == {
        "done": ("finished", 2, ".800 on test, 10k macs"),
        "without its journal": ("damaged", 0, ".600 on test, 1k macs"),
        "going": ("running", 2, ".700 on validation"),
        "broken": ("damaged", None, ""),
    }
    assert row_of(going).state == "stopped"
    assert main(["runs", str(tmp_path)]) == 0
    assert "2 of 8" in capsys.readouterr().out
    assert main(["runs", str(tmp_path / "nothing")]) == 2
    assert "no run in" in capsys.readouterr().err
