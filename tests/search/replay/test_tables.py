"""Recorded tables: reading, look-ups, problems, and one clear sentence for each way to be malformed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.replay import tables
from search.replay.tables import MalformedTable
from tests.search.replay.tables import write


def test_reads_roles_directions_units_and_seeds(tmp_path: Path) -> None:
    table = tables.load(write(tmp_path))
    assert table.space.addresses == ("architecture.width", "recipe.lr", "recipe.optimizer")
    assert table.complete
    assert table.truth_N[0] == 0.0
    assert table.truth_N[-1] == -11.0  # a loss is negated
    assert table.scores_NS.shape == (12, 2)
    assert np.isnan(table.scores_NS[3, 1])
    assert table.costs["macs"][-1] == 4e6
    assert table.statistic_names == ("log_macs", "log_params")
    np.testing.assert_allclose(table.statistics_NK[:, 0], np.log(table.costs["macs"]))


def test_rows_are_found_by_codes(tmp_path: Path) -> None:
    table = tables.load(write(tmp_path))
    shuffled = np.random.default_rng(0).permutation(len(table.codes_ND))
    np.testing.assert_array_equal(table.row_of(table.codes_ND[shuffled]), shuffled)


def test_a_candidate_that_is_not_recorded(tmp_path: Path) -> None:
    whole = pd.read_parquet(write(tmp_path).with_suffix(".parquet"))
    table = tables.load(write(tmp_path, frame=whole.drop(index=5)))
    full = np.stack(np.unravel_index(np.arange(12), (3, 2, 2)), axis=1).astype(np.int16)
    assert (table.find(full) < 0).sum() == 1
    assert not table.complete
    assert tables.problem(table).pool is table.codes_ND
    with pytest.raises(ValueError, match="has no row with the codes"):
        table.row_of(full)


def test_budgets_come_from_the_tables_own_costs(tmp_path: Path) -> None:
    table = tables.load(write(tmp_path))
    drawn = tables.problem(table, quantiles=(0.9, 0.3))
    bounds = [budget.max_macs for budget in drawn.budgets]
    assert bounds == pytest.approx([1.3e6, 4e6])  # numpy's quantiles interpolate
    assert drawn.limits == drawn.budgets[-1]
    assert drawn.affordable(table.codes_ND).sum(axis=1).tolist() == [4, 12]
    assert tables.unlimited(table).feasible(table.codes_ND).all()
    with pytest.raises(ValueError, match="at least one budget"):
        tables.problem(table, quantiles=())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": {"column": "loss", "direction": "up"}}, "direction is 'up'"),
        ({"metric": {"column": "accuracy", "direction": "maximize"}}, "accuracy"),
        ({"statistics": []}, "needs macs or params"),
        ({"statistics": ["macs"]}, "macs"),
        ({"dimensions": [{"name": "width", "role": "size", "type": "ordinal", "values": [8]}]}, "role 'size'"),
        (
            {"dimensions": [{"name": "width", "role": "architecture", "type": "ordinal", "values": [8, 16]}]},
            "'width' is 32",
        ),
        (
            {"dimensions": [{"name": "width", "role": "architecture", "type": "ordinal", "values": [8, 16, 32]}]},
            "more than one row",
        ),
    ],
)
def test_malformed_tables_say_what_is_wrong(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedTable, match=message):
        tables.load(write(tmp_path, change))


def test_missing_files_and_broken_json(tmp_path: Path) -> None:
    with pytest.raises(MalformedTable, match="does not exist"):
        tables.load(tmp_path / "none.json")
    path = write(tmp_path)
    path.write_text("{")
    with pytest.raises(MalformedTable, match="is not JSON"):
        tables.load(path)
