"""Budgets even in the logarithm of the cost, and what a replay says of each of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search.replay import samplers as replay
from search.replay import tables
from search.replay.measures import summarise
from tests.search.replay.tables import write


def test_budgets_are_even_in_the_logarithm_of_the_cost(tmp_path: Path) -> None:
    table = tables.load(write(tmp_path))
    bounds = [limits.bounds()["macs"] for limits in tables.problem(table, 5, spacing="log").budgets]
    low, high = np.quantile(table.costs["macs"], [0.005, 0.95])
    assert (bounds[0], bounds[-1]) == pytest.approx((low, high))
    assert np.diff(np.log(bounds)) == pytest.approx([np.log(high / low) / 4] * 4)


def test_each_budget_has_its_regret_and_its_trials(tmp_path: Path) -> None:
    table = tables.load(write(tmp_path))  # the score of row r is -r; rows 0-3 cost 1e6, 4-7 2e6, 8-11 4e6
    rows = [1, 5, 9, 8]
    trace = pd.DataFrame(
        {
            "table": table.name,
            "sampler": "x",
            "mode": "family",
            "seed": 0,
            "trial": range(4),
            "row": rows,
            "score": table.truth_N[rows],
            "seconds": 0.0,
            "advice": None,
        }
    )
    summary, _ = summarise(trace, {table.name: table}, 3, "log")
    mean = summary.set_index("measure")["mean"]
    # Whatever a budget allows, row 1 is the best that was trained, and row 0 the best there is.
    bands = [mean[f"trials_in_band_{k}"] for k in (1, 2, 3)]
    assert bands == [1, 1, 2]
    regrets = [mean[f"regret_{k}"] for k in (1, 2, 3)]
    assert mean["family_regret"] == pytest.approx(np.mean(regrets))
    assert regrets == sorted(regrets, reverse=True)  # one step from the best, over ever longer ways to the median
    assert regrets[0] == pytest.approx(1 / 1.5)


def test_traces_of_other_budgets_are_other_files(tmp_path: Path) -> None:
    for spacing in ("quantile", "log"):
        replay.play_samplers(
            [write(tmp_path)], ["random"], 4, 1, 2, tmp_path / "out", modes=["family"], spacing=spacing
        )
    assert len(list((tmp_path / "out" / "traces").iterdir())) == 2
