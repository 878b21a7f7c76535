"""Rank agreement and interval coverage of predictors on recorded trials, by number of trials.

Run with ``NARS_TABLES=FOLDER pytest -m benchmark -s tests/benchmarks/test_predictors.py``, FOLDER holding tables as
``search.tables`` reads them. Every predictor sees the same single-seed scores; the truth is the mean over seeds.
"""

import os
from pathlib import Path

import pytest

from search import tables as recorded
from search.replay_predictors import SIZES, compare, summary

FOLDER = Path(os.environ.get("NARS_TABLES", "tables"))
TABLES = sorted(FOLDER.glob("*.json"))
PREDICTORS = ("gp", "boosting", "rank_by_macs")
SEEDS = 3


@pytest.mark.benchmark
@pytest.mark.skipif(not TABLES, reason=f"no recorded tables in '{FOLDER}'; set NARS_TABLES to a folder of them")
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_tau_and_coverage(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = recorded.load(path)
    names = [name for name in PREDICTORS if name != "rank_by_macs" or "macs" in table.costs]
    sizes = [size for size in SIZES if len(table.truth_N) >= 2 * size]
    result = summary(compare(table, names, sizes, seeds=SEEDS)).reset_index()
    with capsys.disabled():
        print("\n" + result[["trials", "predictor", "tau", "tau_top_quarter", "coverage_90"]].to_string(index=False))
    gp = result[result.predictor == "gp"].set_index("trials")
    assert gp.tau[100] > gp.tau[5]
    assert (gp.coverage_90[20:] > 0.6).all()  # far below the 0.9 meant: an alarm, not the target
    if "rank_by_macs" in names:
        least = result[result.predictor == "rank_by_macs"].set_index("trials")
        assert gp.tau[200] > least.tau[200]
