"""What ``python -m search evaluate`` does."""

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from search.commands._train import places
from search.errors import UsageError
from search.evaluation.running import run_evaluations
from search.evaluation.subjects import Subject, Subjects, subjects_of
from search.files import alone, check_writable
from search.identity.folder import read_study
from search.report.gather import write_report_of
from search.setting.checks.data import unserved
from search.setting.setting import Setting
from search.tracking.tracker import Tracker, open_tracker
from spaces import components
from trainables.assess import Assessment, Measure


def evaluate(path: Path, names: str | None, data: str | None, images: Sequence[str], seed: int) -> None:
    """Run evaluations of the networks in a folder, print and keep what they say.

    Args:
        path: of a run or of networks.
        names: of evaluations, with commas between them; all without.
        data: as ``subjects_of`` reads it.
        images: KEY=PATH of where a member's images are.
        seed: of whatever an evaluation draws.
    """
    named = None if names is None else _named(names)
    subjects = subjects_of(path, data, places(images))
    console = Console(highlight=False, soft_wrap=True)
    chosen = _possible(subjects, console) if named is None else named
    for name, reason in unserved(chosen, subjects.splits):
        raise UsageError(f"evaluation '{name}' cannot be made: {reason}; give data that has it, or leave it out")
    for subject in subjects.networks:
        check_writable(subject.folder)
    if subjects.setting is None:
        _evaluate(subjects, chosen, seed, console, None)
        return
    with alone(subjects.setting.config.folder):
        with contextlib.closing(_tracker(subjects.setting)) as tracker:
            _evaluate(subjects, chosen, seed, console, tracker)
        page = write_report_of(subjects.setting)
    console.print(f"report: {page}")


def _named(names: str) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in named:
        components.load(components.EVALUATIONS, name)
    return named


def _possible(subjects: Subjects, console: Console) -> tuple[str, ...]:
    """All evaluations but those that the data cannot serve, which are named."""
    every = components.names(components.EVALUATIONS)
    lacking = dict(unserved(every, subjects.splits))
    for name, reason in lacking.items():
        console.print(f"left out: {name}, since {reason}")
    return tuple(name for name in every if name not in lacking)


def _evaluate(subjects: Subjects, names: tuple[str, ...], seed: int, console: Console, tracker: Tracker | None) -> None:
    def show(number: int, subject: Subject, name: str, assessment: Assessment, files: list[Path]) -> None:
        if tracker is not None:
            tracker.evaluated(number, subject.name, name, assessment.measures, files)
        console.print(_table(f"{subject.name}: {name}, on test images", assessment))
        console.print(f"written: {', '.join(map(str, files))}")

    run_evaluations(subjects.networks, subjects.splits, names, seed, show)


def _table(title: str, assessment: Assessment) -> Table:
    shown = Table("metric", "of", "value", "95 %", "images", title=title, title_justify="left")
    for one in assessment.measures:
        value = "-" if math.isnan(one.value) else f"{one.value:.4f}"
        shown.add_row(one.metric, one.part, value, _interval(one), str(one.count))
    return shown


def _interval(measure: Measure) -> str:
    if measure.low is None or measure.high is None:
        return ""
    return f"{measure.low:.3f} to {measure.high:.3f}"


def _tracker(setting: Setting) -> Tracker:
    quiet = setting.config.tracking.model_copy(update={"system_metrics_s": None})
    config = setting.config.model_copy(update={"tracking": quiet})
    identity = read_study(setting, encoded=False).notes["identity"]
    return open_tracker(config, identity, setting.splits, setting.problem.budgets)
