"""What people see while a run goes on: on a terminal of 80 columns, in a pipe, in a notebook, in the log."""

import io
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from search.console.progress import Progress
from search.console.remaining import Plan
from search.problem.limits import Limits
from search.setting.sections.family import FamilySection
from search.setting.sections.search import SearchSection
from tests.search.console.test_remaining import Clock
from tests.search.products import candidate, member, records
from trainables.final.jobs import FinalJob
from trainables.job import Report

TRIALS = records()
BUDGETS = (Limits(max_macs=1e3), Limits(max_macs=1e4), Limits(max_macs=1e9))
PLAN = Plan(search=SearchSection(), family=FamilySection(epochs=20), budgets=[1e3, 1e4, 1e9], references=[])
JOB = FinalJob(name="0123abcd-0", candidate=candidate(), epochs=20, seed=0)
NAME = "budget 10k (8.61k macs)"


def terminal(**settings: object) -> Console:
    options = {"file": io.StringIO(), "force_terminal": True, "width": 80, "height": 40, **settings}
    return Console(**options)  # type: ignore[arg-type]


def output(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def report(epoch: int, accuracy: float) -> Report:
    return Report(epoch=epoch, accuracy=accuracy, loss=1.0, seconds=2.0 * epoch)


def rendered(progress: Progress) -> list[str]:
    """The lines of the live display, 80 columns wide."""
    console = terminal(color_system=None)
    console.print(progress.render())
    return [line.rstrip() for line in output(console).splitlines()]


def trained(progress: Progress, epochs: int) -> None:
    for epoch in range(1, epochs + 1):
        progress.trained(NAME, JOB, 8_610, report(epoch, 0.5 + 0.04 * (epoch % 10)))


def test_a_final_training_is_named_by_its_budget() -> None:
    progress = Progress(BUDGETS, terminal())
    progress.finals("final training", {JOB: 8_610})
    trained(progress, 7)
    lines = rendered(progress)
    assert lines[0] == "final training"
    assert f"{NAME}: epoch 7 of 20, best .780" in lines
    trained(progress, 20)
    assert not any("epoch 20" in line for line in rendered(progress))
    assert any(line.startswith("10k") and line.endswith(NAME) for line in rendered(progress))


def test_what_a_pretraining_reports_is_called_that_and_is_never_the_best() -> None:
    progress = Progress(BUDGETS, terminal())
    pretraining = {"objective": "rotation", "share": 0.5}
    job = replace(JOB, candidate=replace(candidate(), pretraining=pretraining), stop=None)
    progress.finals("final training", {job: 8_610})
    for epoch in range(1, 12):
        progress.trained(NAME, job, 8_610, report(epoch, 0.9 if epoch <= 10 else 0.3))
        if epoch == 10:
            assert f"{NAME}: epoch 10 of 20, .900 by its features" in rendered(progress)
    assert f"{NAME}: epoch 11 of 20, best .300" in rendered(progress)


def test_the_best_within_each_budget_stands_beside_its_reference() -> None:
    progress = Progress(BUDGETS, terminal())
    progress.finals("final training", {JOB: 8_610})
    trained(progress, 20)
    hand = FinalJob(name="hand-0", candidate=candidate(), epochs=20, seed=1)
    progress.trained("reference, budget 1k (900 macs)", hand, 900, report(20, 0.4), reference=True)
    rows = [line.split(None, 5) for line in rendered(progress)[-3:]]
    assert rows[0][:4] == ["1k", ".400", "900", ".400"]
    assert rows[1][:4] == ["10k", ".500", "8.61k", ".400"]
    assert rows[2][:4] == ["1G", ".500", "8.61k", ".400"]


def test_ended_trials_stay_in_the_scrollback() -> None:
    console = terminal(color_system=None)
    with Progress(BUDGETS, console) as progress:
        progress.search(24, 0)
        progress.ended(TRIALS[0])
    assert "1 of 24: trial 0" in output(console)


def test_no_line_of_the_live_display_is_wider_than_80_columns() -> None:
    progress = Progress(BUDGETS, terminal())
    progress.begin(PLAN, ["hand"], TRIALS)
    progress.finals("final training to epoch 10, of which the better half goes on, and " + "more " * 10, {JOB: 8_610})
    for number in range(9):
        job = FinalJob(name=f"job-{number}", candidate=candidate(), epochs=20, seed=0)
        progress.trained(f"budget {number}, " + "long " * 20, job, 10, report(3, 0.5))
    lines = rendered(progress)
    assert max(map(len, lines)) <= 80
    assert "and 5 more" in lines


def test_a_pipe_gets_whole_lines_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=80)
    with Progress(BUDGETS, console) as progress:
        progress.say("a sentence with [brackets] that is " + "long " * 20)
    assert "\x1b" not in output(console)
    assert output(console).count("\n") == 1
    assert "[brackets]" in output(console)


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = terminal(color_system="standard")
    with Progress(BUDGETS, console) as progress:
        progress.search(24, 0)
        progress.ended(TRIALS[0])
    assert not any(f"\x1b[{code}m" in output(console) for code in (*range(30, 38), *range(90, 98)))


def test_a_notebook_gets_a_line_an_output_and_no_live_display(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[str] = []
    display = ModuleType("IPython.display")
    display.display = lambda shown: outputs.append(shown._repr_mimebundle_((), ())["text/plain"])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    with Progress(BUDGETS, Console(force_jupyter=True, width=80)) as progress:
        progress.finals("final training", {JOB: 8_610})
        trained(progress, 20)
    assert len(outputs) == 2
    assert outputs[0].endswith("final training: 1\n")
    assert NAME in outputs[1]
    assert len(outputs[1].splitlines()) == 1


def test_a_pipe_hears_of_a_long_training_once_a_minute() -> None:
    clock, console = Clock(), Console(file=io.StringIO(), width=80)
    progress = Progress(BUDGETS, console, now=clock)
    progress.finals("final training", {JOB: 8_610})
    for epoch in range(1, 10):
        clock.time += 25.0
        progress.trained(NAME, JOB, 8_610, Report(epoch=epoch, accuracy=0.5, loss=1.0, seconds=25.0 * epoch))
    told = [line for line in output(console).splitlines() if "epoch" in line]
    assert [line.split("epoch ")[1].split()[0] for line in told] == ["3", "6", "9"]
    assert told[0].endswith("about 7m05s of training left")


def test_a_resumed_run_knows_its_best_so_far() -> None:
    progress = Progress(BUDGETS, terminal())
    progress.begin(PLAN, [], TRIALS)
    best = max((trial for trial in TRIALS if trial.score is not None), key=lambda trial: trial.score or 0.0)
    assert rendered(progress)[-1].split()[-1] == str(best.number)


def test_the_log_has_every_line_and_traces(tmp_path: Path) -> None:
    progress = Progress(BUDGETS, terminal(), log=tmp_path / "search.log")
    progress.failed(JOB, "final training of budget 10k failed: boom", "Traceback\n  boom")
    progress.exported(member(test_accuracy=0.95))
    text = (tmp_path / "search.log").read_text()
    assert "failed: boom\n    Traceback" in text
    assert "member-1: 1k macs, .900 on search-validation, .950 on test" in text


def test_after_the_trials_that_were_better_nothing_is_left() -> None:
    clock, console = Clock(), Console(file=io.StringIO(), width=80)
    progress = Progress(BUDGETS, console, now=clock)
    progress.begin(PLAN, [], ())
    for what, seed in (("final training", 0), ("teaching, and trials that were better", 1)):
        job = replace(JOB, name=f"0123abcd-{seed}", seed=seed)
        progress.finals(what, {job: 8_610})
        for epoch in range(1, 21):
            clock.time += 25.0
            progress.trained(NAME, job, 8_610, Report(epoch=epoch, accuracy=0.5, loss=1.0, seconds=25.0 * epoch))
    ends = [line for line in output(console).splitlines() if "after 20 of" in line]
    assert [line.endswith("of training left") for line in ends] == [True, False]
