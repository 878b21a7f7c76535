"""The runs in a folder: how far each is, and the best that came out of it. Read without loading a framework."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import yaml
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from search.files import is_held
from search.record.storage import read_storage, study_names
from search.words import amount, fraction
from spaces.mistake import Mistake

State = Literal["finished", "running", "stopped", "damaged"]


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run.

    Attributes:
        folder: of the run.
        state: whether it has its family, a process works on it, or neither; or a file of it cannot be read.
        trials: that have ended; None where the study is not in the folder.
        planned: trials of its search.
        best: the most accurate network so far, in words.
        changed: when something was last written.
    """

    folder: Path
    state: State
    trials: int | None
    planned: int | None
    best: str
    changed: datetime


def runs_in(folders: Sequence[Path]) -> list[RunRow]:
    """The runs in folders, or those that the folders are, the last changed first."""
    rows = [row_of(run) for folder in folders for run in _runs(folder)]
    return sorted(rows, key=lambda row: row.changed, reverse=True)


def _runs(folder: Path) -> Iterator[Path]:
    if (folder / "config.yaml").is_file():
        yield folder
    elif folder.is_dir():
        yield from (child for child in sorted(folder.iterdir()) if (child / "config.yaml").is_file())


def row_of(run: Path) -> RunRow:
    """What can be said of a run, whatever state its files are in."""
    changed = max(file.stat().st_mtime for file in run.iterdir() if file.is_file())
    planned, trials, best, damaged = None, None, "", False
    try:
        planned, trials, best = _progress(run)
        best = _of_family(run) or best
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError, Mistake):
        damaged = True  # `repair` says what
    finished = (run / "family" / "family.json").is_file()
    damaged = damaged or (finished and trials == 0)  # the study is gone
    state: State = "finished" if finished else "stopped"
    if is_held(run):
        state = "running"
    return RunRow(
        folder=run,
        state="damaged" if damaged else state,
        trials=trials,
        planned=planned,
        best=best,
        changed=datetime.fromtimestamp(changed).astimezone(),
    )


def _progress(run: Path) -> tuple[int | None, int | None, str]:
    """Planned trials, ended ones, and the best of them; the latter are unknown where the study is in a database."""
    content: Any = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    planned = int(content["search"]["trials"])
    if content.get("run", {}).get("storage") is not None:
        return planned, None, ""
    if not (run / "study.journal").exists():
        return planned, 0, ""
    trials = [trial for trial in _trials(read_storage(run, None)) if trial.state.is_finished()]
    ended = [trial for trial in trials if trial.user_attrs.get("purpose") == "search"]
    scored = [trial for trial in ended if trial.value is not None and trial.state != TrialState.FAIL]
    best = max(scored, key=lambda trial: trial.value or 0.0, default=None)
    return planned, len(ended), "" if best is None else f"{fraction(best.value or 0.0)} on validation"


def _trials(storage: BaseStorage) -> list[FrozenTrial]:
    names = study_names(storage)
    if not names:
        return []
    return storage.get_all_trials(storage.get_study_id_from_name(names[0]), deepcopy=False)


def _of_family(run: Path) -> str:
    """The most accurate member; empty without a family."""
    path = run / "family" / "family.json"
    if not path.is_file():
        return ""
    members = json.loads(path.read_text(encoding="utf-8"))["members"]
    tested = [member for member in members if member["test_accuracy"] is not None]
    if not tested:
        return ""
    best = max(tested, key=lambda member: (member["test_accuracy"], -member["macs"]))
    return f"{fraction(best['test_accuracy'])} on test, {amount(best['macs'])} macs"
