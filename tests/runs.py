"""A small search: its configuration, its command, and what it leaves."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from search.family.members import load_family
from search.identity.folder import prepare_run, read_study
from search.identity.saved import saved
from search.record.trial import Trial
from search.setting.setting import prepare
from tests.places import ROOT

SMALL_NETWORKS = """\
space:
  name: tiny
  restrict:
    architecture.resolution: [8]
    architecture.stem_stride: [2]
    architecture.depth.0: [1]
    architecture.depth.1: [1]
    architecture.depth.2: [1]
    architecture.squeeze_excite.0: [false]
    architecture.squeeze_excite.1: [false]
    architecture.squeeze_excite.2: [false]
"""
"""The part of a configuration that keeps networks small."""

SMALL = (
    """
name: {name}
runs: {runs}
data: {data}
"""
    + SMALL_NETWORKS
    + """\
limits: {{max_macs: {limit}}}
search: {{trials: {trials}, epochs: 2, predictor: gp, watched: gp, pretrain: 200, prior: none}}
family: {{max_macs: {budgets}, contenders: 1, repeats: {repeats}, epochs: 2, teachers: {teachers}}}
run: {{executor: {executor}, workers: {workers}}}
tracking: {{enabled: {tracking}}}
"""
)


def configuration(folder: Path, name: str, **changes: Any) -> Path:
    """The file of a small search, whose run is in ``folder / "runs" / name``."""
    values = {
        "data": "{source: digits, validation: 0.3, test: 0.4}",
        "executor": "serial",
        "workers": 1,
        "tracking": "false",
        "limit": "100k",
        "trials": "9, initial: 6, batch: 3",
        "budgets": "[6k, 60k]",
        "repeats": 1,
        "teachers": 1,
    } | changes
    file = folder / f"{name}.yaml"
    file.write_text(SMALL.format(name=name, runs=folder / "runs", **values))
    return file


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "search", *map(str, arguments)]


def search(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in an interpreter of its own, as a user starts it."""
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)


def copied(run: Path, to: Path) -> Path:
    """A copy of a run below another folder, of which its store knows where it is."""
    copy = shutil.copytree(run, to / run.name)
    with contextlib.closing(sqlite3.connect(copy / "mlflow.db")) as store, store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [(table, row[1]) for table in tables for row in store.execute(f'PRAGMA table_info("{table}")')]
        for table, column in columns:  # numbers stay what they are
            of_text = f"typeof(\"{column}\") = 'text'"
            change = f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE {of_text}'
            store.execute(change, (str(run), str(copy)))
    return copy


def trials(run: Path) -> list[Trial]:
    """The record of a run."""
    return read_study(prepare_run(saved(run)), encoded=True).trials()


def curves(run: Path) -> list[tuple[int, str, str, list[tuple[int, float, float]]]]:
    """Number, state, candidate and reports of each trial, without what the clock decided."""
    return [
        (t.number, t.state, t.candidate.key, [(e.epoch, e.accuracy, e.loss) for e in t.reports]) for t in trials(run)
    ]


def members(run: Path) -> list[dict[str, Any]]:
    """The family of a run, without what the clock or the device decided."""
    config = saved(run)
    images = len(prepare(config).splits.train)
    clocked = dict.fromkeys(("latency_ms", "latency_spread_ms"))
    family = [{**member.to_dict(), **clocked} for member in load_family(run / "family").members]
    for member in family:
        final = member["spent"]["final"]
        # The member's training reached the end of its schedule, which is the search's where a trial was trained again
        # as it was; others of its budget may have been stopped on the way.
        most = max(config.family.epochs, config.search.epochs)
        assert config.family.epochs <= final["images"] / images <= final["trainings"] * most
        member["spent"] = {name: {**part, "seconds": None} for name, part in member["spent"].items()}
    return family


def facts(run: Path) -> dict[str, Any]:
    """What a run has found."""
    return {"trials": curves(run), "members": members(run)}
