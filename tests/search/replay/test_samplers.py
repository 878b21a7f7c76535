"""Replays: traces written once, paired noise, measures checked by hand, export of a study."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages.journal import JournalFileBackend
from optuna.trial import create_trial

from search.replay import samplers as replay
from search.replay import tables
from search.replay.measures import paired_differences, summarise
from search.replay.run_table import export_run
from spaces.mistake import Mistake
from tests.search.replay.tables import write


def played(tmp_path: Path, **changes: object) -> pd.DataFrame:
    options: dict[str, object] = {"trials": 8, "seeds": 2, "budgets": 2, "out": tmp_path / "out"}
    return replay.play_samplers([write(tmp_path)], ["nars", "random"], **(options | changes))  # type: ignore[arg-type]


def test_writes_summary_traces_and_plots(tmp_path: Path) -> None:
    summary = played(tmp_path)
    on_disk = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert list(on_disk.columns) == ["table", "sampler", "trials", "measure", "mean", "stderr", "seeds"]
    assert len(on_disk) == len(summary)
    assert {"family_regret", "regret", "hypervolume", "trials_to_top_1pct"} <= set(on_disk.measure)
    assert (tmp_path / "out" / "family_regret.png").stat().st_size > 1000
    traces = pd.read_parquet(tmp_path / "out" / "traces.parquet")
    assert not traces.duplicated(["sampler", "mode", "seed", "row"]).any()


def test_finished_traces_are_not_played_again(tmp_path: Path) -> None:
    first = played(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "traces").iterdir()}
    again = played(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "traces").iterdir()} == before
    pd.testing.assert_frame_equal(first, again)


def test_samplers_see_the_same_noise(tmp_path: Path) -> None:
    table = tables.load(write(tmp_path))
    first, again, other = (table.one_seed(np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert np.isfinite(first).all()
    assert all(score in row for score, row in zip(first, table.scores_NS, strict=True))


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs tables, samplers of"):
        replay.play_samplers([write(tmp_path)], ["nobody"], 5, 1, 1, tmp_path / "out")
    with pytest.raises(ValueError, match="trials is 0"):
        played(tmp_path, trials=0)


def test_measures_by_hand(tmp_path: Path) -> None:
    table = tables.load(write(tmp_path))  # the score of row r is -r; rows 0-3 cost 1e6, 4-7 2e6, 8-11 4e6
    trace = pd.DataFrame(
        {"row": [9, 5, 2], "score": [0.0, -5.0, -2.0], "truth": table.truth_N[[9, 5, 2]], "seconds": 0.0}
    ).assign(table="small", sampler="a", seed=0, trial=range(3), advice=None)
    both = pd.concat([trace.assign(mode="family"), trace.assign(mode="single")])
    _, per_seed = summarise(both, {"small": table}, budgets=2)
    value = per_seed.set_index(["measure", "trials"])["value"]
    # Budgets at the 5 % and 95 % quantiles: rows 0-3, and all. Found: row 2, and row 9, whose seen score is the best.
    assert value["family_regret", 3] == pytest.approx(((0 + 2) / 1.5 + (0 + 9) / 5.5) / 2)
    assert value["regret", 3] == pytest.approx(9 / 5.5)
    assert value["trials_to_top_1pct", 3] == 4  # censored: row 0 was never trained
    assert value["trials_to_top_1pct_reached", 3] == 0
    assert 0 < value["hypervolume", 3] < 1


def test_comparison_is_paired() -> None:
    per_seed = pd.DataFrame(
        [("t", name, seed, 20, "regret", base + seed) for name, base in (("a", 0.0), ("b", 0.5)) for seed in range(6)],
        columns=["table", "sampler", "seed", "trials", "measure", "value"],
    )
    line = next(line for line in paired_differences(per_seed).splitlines() if "| a " in line)
    assert "-0.5000 (0.0000)" in line
    assert line.endswith("0.031")  # six wins of six: 2 / 2 ** 6


def test_a_study_becomes_a_table(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(run / "study.journal")))
    study = optuna.create_study(storage=storage, study_name="run", direction="maximize")
    for number in range(6):
        recipe = {"optimizer": "sgd", "momentum": 0.9} if number % 2 else {"optimizer": "adam"}
        candidate = {
            "backbone": "b",
            "objective": "o",
            "architecture": {"width": 8 * (number // 2 + 1)},
            "recipe": recipe,
            "pretraining": {"objective": "simclr" if number % 3 else "none"},
        }
        statistics = {"macs": 1000 * (number + 1), "params": 10, "activations": 5, "resolution": 8}
        attributes = {"candidate": candidate, "statistics": statistics}
        study.add_trial(create_trial(value=0.1 * number, user_attrs=attributes))
    export_run(run, tmp_path / "out" / "run.json")
    table = tables.load(tmp_path / "out" / "run.json")
    assert len(table.truth_N) == 6
    assert set(table.space.addresses) == {
        "architecture.width",
        "recipe.optimizer",
        "recipe.momentum",
        "pretraining.objective",
    }
    assert table.truth_N.max() == pytest.approx(0.5)
    assert "inactive" in table.space.dimension("recipe.momentum").values
    with pytest.raises(ValueError, match="does not exist"):
        export_run(tmp_path / "nowhere", tmp_path / "x.json")


def test_a_sampler_may_start_from_candidates_that_its_table_lacks(tmp_path: Path) -> None:
    here = there = tables.load(write(tmp_path))
    half = len(here.codes_ND) // 2
    part = replace(
        here,
        codes_ND=here.codes_ND[:half],
        statistics_NK=here.statistics_NK[:half],
        costs={name: cost_N[:half] for name, cost_N in here.costs.items()},
        complete=False,
    )
    problem = tables.counting(tables.problem(part, 2), part, there)
    np.testing.assert_array_equal(problem.statistics(there.codes_ND), there.statistics_NK)
    assert problem.pool is part.codes_ND
    with pytest.raises(Mistake, match="counts"):
        tables.counting(problem, part, replace(there, costs={}))
