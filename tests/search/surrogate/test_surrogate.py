"""Whole spaces on models of recorded tables: scores and their noise, what is refused, traces and their measures."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.__main__ import main
from search.problem.supply import Supply
from search.replay import tables
from search.surrogate.measures import Yardsticks, measures, yardsticks
from search.surrogate.model import Surrogate, space_of
from search.surrogate.play import play_surrogates
from spaces.mistake import Mistake
from tests.places import ROOT

TABLE = ROOT / "spaces" / "priors" / "tiny_emoji.json"
BUDGETS = 4


def surrogate_of(path: Path, predictor: str = "rank_by_macs") -> Surrogate:
    return Surrogate.of(path, budgets=BUDGETS, spacing="log", predictor=predictor)


@pytest.fixture(scope="module")
def surrogate() -> Surrogate:
    return surrogate_of(TABLE, "boosting")


def copied(folder: Path, change: Callable[[dict[str, Any]], object], rows: int | None = None) -> Path:
    """The table with another description."""
    path = folder / TABLE.name
    shutil.copy(TABLE.with_suffix(".parquet"), folder)
    if rows is not None:
        pd.read_parquet(TABLE.with_suffix(".parquet")).head(rows).to_parquet(path.with_suffix(".parquet"))
    description = json.loads(TABLE.read_text(encoding="utf-8"))
    change(description)
    path.write_text(json.dumps(description), encoding="utf-8")
    return path


def test_costs_are_the_recorded_ones(surrogate: Surrogate) -> None:
    recorded = tables.load(TABLE)
    assert surrogate.problem.costs(surrogate.rows.codes_ND)["macs"].tolist() == recorded.costs["macs"].tolist()
    assert surrogate.problem.budgets == tables.problem(recorded, BUDGETS, spacing="log").budgets


def test_means_follow_the_recorded_scores_and_noise_is_theirs(surrogate: Surrogate) -> None:
    rows = surrogate.rows
    truth_N = surrogate.truth(rows.codes_ND)
    assert np.corrcoef(truth_N, rows.score_N)[0, 1] > 0.8
    shown_SN = np.stack([surrogate.scores(rows.codes_ND[:40], seed) for seed in range(12)])
    np.testing.assert_array_equal(shown_SN[3], surrogate.scores(rows.codes_ND[:40], 3))
    np.testing.assert_allclose(shown_SN[3, 5], surrogate.scores(rows.codes_ND[5:6], 3))  # whatever stands beside it
    assert np.abs(shown_SN.mean(axis=0) - truth_N[:40]).mean() < 0.01
    deviations = np.nanstd(surrogate.repeated_RS, axis=1, ddof=1)
    assert shown_SN.std(axis=0, ddof=1).mean() == pytest.approx(deviations.mean(), rel=0.3)


def test_the_model_says_how_good_it_is() -> None:
    quality, noise = surrogate_of(TABLE).describe()
    assert quality.startswith(
        "surrogate of 'tiny_emoji' ('rank_by_macs', 396 rows): rank correlation (Spearman) on held"
    )
    assert noise.endswith("from 20 candidates that were trained several times")


def test_a_table_without_repeated_trainings_has_no_noise(tmp_path: Path) -> None:
    without = surrogate_of(copied(tmp_path, lambda table: table["metric"].update(seed_columns=[])))
    codes_ND = without.rows.codes_ND[:5]
    np.testing.assert_array_equal(without.scores(codes_ND, 1), without.truth(codes_ND))
    assert without.describe()[1] == "no candidate was trained twice: scores are shown without noise"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: table.pop("space"), "names no space and shape"),
        (lambda table: table.pop("shape"), "names no space and shape"),
        (lambda table: table.update(space="enormous"), "'enormous', which is not among"),
        (
            lambda table: table["dimensions"][0]["values"].append(99),
            "another version of the space 'tiny'.*resolution 99",
        ),
        (lambda table: table["dimensions"].pop(0), "another version.*has no 'architecture.resolution'"),
        (lambda table: table["fixed"].update({"recipe.magic": 1}), "another version.*has no 'recipe.magic'"),
    ],
)
def test_tables_that_do_not_tell_their_space(
    change: Callable[[Mapping[str, Any]], object], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(Mistake, match=sentence):
        space_of(copied(tmp_path, change))


def test_a_table_of_a_few_rows_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="has 3 rows; a model of a space needs at least 50"):
        surrogate_of(copied(tmp_path, lambda table: table, rows=3))


def test_traces_are_of_the_whole_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = play_surrogates(
        [TABLE],
        ["random", "qmc"],
        [0],
        trials=20,
        budgets=BUDGETS,
        spacing="log",
        batch=5,
        out=tmp_path,
        predictor="rank_by_macs",
    )
    assert "[2/2" in capsys.readouterr().out
    assert set(summary.measure) >= {"family_regret", "family_regret_recommended", "regret_4", "trials_in_band_1"}
    surrogate = surrogate_of(TABLE)
    for path in (tmp_path / "surrogate").glob("*.parquet"):
        trace = pd.read_parquet(path)
        codes_ND = np.array(trace["codes"].tolist(), dtype=np.int16)
        assert surrogate.problem.feasible(codes_ND).all()
        np.testing.assert_allclose(trace["score"], surrogate.scores(codes_ND, 0))


def test_regrets_are_counted_from_the_best_that_is_known(surrogate: Surrogate) -> None:
    drawn_ND = Supply(surrogate.problem).draw_within_budgets(50, np.random.default_rng(1))
    trace = pd.DataFrame(
        {
            "cost": surrogate.problem.costs(drawn_ND)["macs"],
            "truth": surrogate.truth(drawn_ND),
            "score": surrogate.scores(drawn_ND, 0),
            "seconds": 0.1,
            "advice": None,
        }
    )
    known = yardsticks(surrogate, trace)
    assert (np.diff(known.best_K) >= 0).all()
    assert (known.best_K > known.median_K).all()
    regrets = measures(trace, known)
    assert all(regrets[f"regret_{k}"] >= 0 for k in range(1, BUDGETS + 1))
    assert sum(regrets[f"trials_in_band_{k}"] for k in range(1, BUDGETS + 1)) == len(trace)


def test_measures_by_hand() -> None:
    yardstick = Yardsticks(bound_K=np.array([5.0, 10.0]), best_K=np.array([0.5, 1.0]), median_K=np.array([0.1, 0.2]))
    trace = pd.DataFrame(
        {
            "cost": [8.0, 9.0],
            "truth": [0.8, 0.6],
            "score": [0.5, 0.7],
            "seconds": [1.0, 3.0],
            "advice": [None, [-1, 0]],
        }
    )
    measured = measures(trace, yardstick)
    assert measured["regret_1"] == 1.0  # nothing fits it
    assert measured["regret_2"] == pytest.approx((1.0 - 0.6) / 0.8)
    assert measured["family_regret_recommended"] == pytest.approx((1.0 + 0.2 / 0.8) / 2)
    assert (measured["trials_in_band_1"], measured["trials_in_band_2"], measured["seconds"]) == (0.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--surrogate-model", "gp"], "--surrogate-model belongs to --surrogate"),
        (["--surrogate", "--source", str(TABLE)], "leave --source and --export out"),
        (["--surrogate", "--modes", "single"], "plays the mode 'family' alone"),
        (["--surrogate"], "a replay needs tables, samplers of"),
    ],
)
def test_arguments_that_do_not_fit(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(TABLE), *arguments, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
