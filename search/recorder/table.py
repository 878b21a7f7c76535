"""The table of a recording: what has been trained so far, as ``search.learning.recorded`` reads it."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from search.files import write_text
from search.learning.recorded import INACTIVE
from search.recorder.recording import read_rows
from spaces.candidate import Candidate
from spaces.dimensions import is_ordinal
from spaces.mistake import Mistake
from spaces.space import Space


def write_table(
    folder: Path, name: str, space: Space, epochs: int, card: dict[str, Any], base: pd.DataFrame | None = None
) -> Path:
    """``NAME.json`` and ``NAME.parquet`` of what has been recorded so far; returns the path of the JSON.

    ``base`` are the rows of a table that the recording extends; they come first.

    One line a candidate: its values, its costs, the mean accuracy over its trainings, each training's accuracy
    (``accuracy.0``, ...), the curve of the first training (``epoch.1``, ...) and its seconds. A failed training is
    missing.

    Raises:
        Mistake: nothing has been recorded.
    """
    trained = [row for row in read_rows(folder) if row["message"] is None and len(row["accuracy"]) == epochs]
    if not trained:
        raise Mistake(f"'{folder}' holds no finished training yet")
    by_row: dict[int, list[dict[str, Any]]] = {}
    for entry in sorted(trained, key=lambda entry: (entry["row"], entry["turn"])):
        by_row.setdefault(entry["row"], []).append(entry)
    turns = max(map(len, by_row.values()))
    frame = pd.DataFrame([_line(space, entries, turns, epochs) for entries in by_row.values()])
    if base is not None:
        turns = max(turns, sum(name.startswith("accuracy.") for name in base.columns))
        frame = pd.concat(
            [base, frame.reindex(columns=base.columns.union(frame.columns, sort=False))], ignore_index=True
        )
    dimensions = [_described(space, address) for address in space.addresses if address not in _fixed(space)]
    description = {
        **card,
        "name": name,
        "space": space.name,
        "rows": len(frame),
        "complete_grid": False,
        "dimensions": dimensions,
        "fixed": {address: space.dimension(address).values[0] for address in _fixed(space)},
        "metric": {
            "column": "accuracy",
            "direction": "maximize",
            "seed_columns": [f"accuracy.{turn}" for turn in range(turns)],
        },
        "curve_columns": [f"epoch.{epoch}" for epoch in range(1, epochs + 1)],
        "statistics": ["macs", "params", "activations"],
        "measured_costs": ["seconds"],
        "versions": {package: version(package) for package in ("torch", "timm")},
    }
    path = folder / f"{name}.json"
    frame.to_parquet(path.with_suffix(".parquet"), index=False)
    write_text(path, json.dumps(description, indent=1) + "\n")
    return path


def _fixed(space: Space) -> list[str]:
    """Addresses without a choice, which have no column."""
    return [address for address in space.addresses if len(space.dimension(address).values) == 1]


def _line(space: Space, entries: Sequence[dict[str, Any]], turns: int, epochs: int) -> dict[str, Any]:
    candidate = Candidate.from_dict(entries[0]["candidate"])
    values = space.addressed(candidate)
    line: dict[str, Any] = {}
    for address in space.addresses:
        dimension = space.dimension(address)
        if len(dimension.values) > 1:
            line[address] = _cell(space, address, values.get(address, INACTIVE))
    line |= {name: entries[0]["statistics"][name] for name in ("macs", "params", "activations")}
    finals = [entry["accuracy"][-1] for entry in entries]
    line["accuracy"] = float(np.mean(finals))
    line |= {f"accuracy.{turn}": finals[turn] if turn < len(finals) else None for turn in range(turns)}
    line |= {f"epoch.{epoch}": entries[0]["accuracy"][epoch - 1] for epoch in range(1, epochs + 1)}
    return line | {"seconds": entries[0]["seconds"]}


def _cell(space: Space, address: str, value: Any) -> Any:
    """A dimension that can be off has words in all its cells, since a column of a table has one type."""
    return str(value) if address in space.conditions else value


def _described(space: Space, address: str) -> dict[str, Any]:
    dimension = space.dimension(address)
    conditional = address in space.conditions
    values = [_cell(space, address, value) for value in dimension.values]
    return {
        "name": address,
        "role": address.partition(".")[0],
        "type": "ordinal" if is_ordinal(dimension) else "categorical",
        "log": bool(getattr(dimension, "log", False)),
        "values": [*values, INACTIVE] if conditional else values,
    }
