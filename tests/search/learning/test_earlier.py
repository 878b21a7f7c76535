"""Recorded tables as the past of a search: read by address and value, refused where they tell nothing of its space."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.learning import earlier, recorded
from search.learning.earlier import misfits, of_table, shipped
from search.recorder.table import write_table
from spaces import tiny
from spaces.components import SPACES, load
from spaces.dimensions import Choice
from spaces.mistake import Mistake
from spaces.sampling import uniform
from spaces.space import Space

ROWS = 12


def recorded_table(folder: Path, space: Space | None = None, rows: int = ROWS) -> Path:
    """A table of made-up accuracies, 0.1, 0.11, ..., written as ``search record`` writes it."""
    space = space or tiny.space()
    codes_ND = uniform(space, rows, np.random.default_rng(0))
    folder.mkdir(exist_ok=True)
    entries = [
        {
            "plan": "made up",
            "row": row,
            "turn": 0,
            "candidate": candidate.to_dict(),
            "statistics": {"macs": 1000 + row, "params": 100, "activations": 10},
            "accuracy": [0.05, 0.1 + row / 100],
            "loss": [1.0, 1.0],
            "seconds": 1.0,
            "message": None,
        }
        for row, candidate in enumerate(space.decode(codes_ND))
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return write_table(folder, "made_up", space, 2, {})


def altered(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def test_a_recorded_table_is_read_to_the_last_value(tmp_path: Path) -> None:
    space = tiny.space()
    table = of_table(recorded_table(tmp_path), space)
    observed = table.observations(space)
    np.testing.assert_array_equal(observed.codes_ND, uniform(space, ROWS, np.random.default_rng(0)))
    np.testing.assert_allclose(observed.score_N, 0.1 + np.arange(ROWS) / 100)
    assert (table.trials, table.kind, table.source) == (ROWS, "table", "made_up")


def test_lower_is_better_where_the_table_says_so(tmp_path: Path) -> None:
    path = recorded_table(tmp_path)
    altered(path, metric=json.loads(path.read_text())["metric"] | {"direction": "minimize"})
    assert max(of_table(path, tiny.space()).scores) == pytest.approx(-0.1)


def test_a_restricted_space_takes_what_fits(tmp_path: Path) -> None:
    path = recorded_table(tmp_path)
    narrow = tiny.space().restrict({"recipe.optimizer.name": ["sgd"]})
    table = of_table(path, narrow)
    assert 2 <= len(table.scores) < table.trials == ROWS
    assert narrow.contains(table.observations(narrow).codes_ND).all()
    assert misfits(path, narrow) == ""


def test_a_table_of_a_part_does_not_hold_the_whole(tmp_path: Path) -> None:
    path = recorded_table(tmp_path, tiny.space().restrict({"architecture.resolution": [8]}))
    assert misfits(path, tiny.space()) == "it does not know architecture.resolution 12"
    assert len(of_table(path, tiny.space()).scores) == ROWS  # chosen by hand it is of use all the same


def test_two_values_of_a_scale_speak_for_those_beside_them(tmp_path: Path) -> None:
    scale = recorded_table(tmp_path / "scale", tiny.space().restrict({"architecture.resolution": [8, 12]}))
    assert misfits(scale, tiny.space()) == ""
    names = recorded_table(tmp_path / "names", tiny.space().restrict({"architecture.activation": ["relu", "silu"]}))
    assert misfits(names, tiny.space()) == "it does not know architecture.activation 'hard_swish'"


def test_another_version_of_a_space_is_refused(tmp_path: Path) -> None:
    space, path = tiny.space(), recorded_table(tmp_path)
    newer = replace(space, recipe={**space.recipe, "optimizer.nesterov": Choice(values=(False, True))})
    older = replace(space, recipe={k: v for k, v in space.recipe.items() if k != "mixup.alpha"})
    for other, message in ((newer, "the table has no 'recipe.optimizer.nesterov'"), (older, "no 'recipe.mixup.alpha'")):
        assert message in misfits(path, other)
        with pytest.raises(Mistake, match="another version of it: .*" + message):
            of_table(path, other)


def test_a_table_with_one_row_is_too_little(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"has 1 candidates with a score, 1 of which fit .* needs at least 2"):
        of_table(recorded_table(tmp_path, rows=1), tiny.space())


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = recorded_table(tmp_path)
    with pytest.raises(recorded.MalformedTable, match="the field or column 'metric' is missing"):
        of_table(altered(path, metric=None) and _without(path, "metric"), tiny.space())
    path.with_suffix(".parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(recorded.MalformedTable, match="cannot be read as parquet"):
        recorded.read(path)


def _without(path: Path, field: str) -> Path:
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != field}))
    return path


def test_a_run_exported_as_a_table_has_short_names(tmp_path: Path) -> None:
    space = tiny.space().restrict({"recipe.optimizer.name": ["adamw"]})
    path = recorded_table(tmp_path, space)
    description = json.loads(path.read_text())
    short = {entry["name"]: entry["name"].partition(".")[2] for entry in description["dimensions"]}
    names = [entry | {"name": short[entry["name"]]} for entry in description["dimensions"]]
    altered(path, dimensions=names)
    pd.read_parquet(path.with_suffix(".parquet")).rename(columns=short).to_parquet(path.with_suffix(".parquet"))
    assert len(of_table(path, space).scores) == ROWS


def test_shipped_tables_hold_their_space() -> None:
    """``importlib.resources`` finds them, each fits the space that it names, and none is large."""
    folder = Path(str(earlier.files("spaces") / "priors"))
    for path in folder.glob("*.json"):
        description = recorded.describe(path)
        space = load(SPACES, description["space"]).space()
        assert path in shipped(description["space"])
        assert misfits(path, space) == ""
        assert len(of_table(path, space).scores) == description["rows"]
        assert path.with_suffix(".parquet").stat().st_size < 500_000
        assert {"data", "licence", "recorded", "versions", "machine"} <= set(description)
