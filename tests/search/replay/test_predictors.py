"""Predictors on a made-up table of 48 rows: macs decide most of the score, the learning rate the rest."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search import __main__
from search.replay import predictors as replay_predictors
from search.replay import tables
from search.replay.predictors import MEASURES, compare, summary
from search.replay.tables import Table
from spaces.components import UnknownComponent
from tests.search.replay.tables import write

NAMES = ("constant", "rank_by_macs", "gp")
WIDTHS, RATES = (8, 12, 16, 24, 32, 48), (0.001, 0.01, 0.1, 1.0)


def recorded(folder: Path, first: str = "macs_millions") -> Path:
    rows = [(w, o, lr) for w in WIDTHS for o in ("adam", "sgd") for lr in RATES]
    frame = pd.DataFrame(rows, columns=["width", "optimizer", "lr"])
    frame["loss"] = -np.log(frame.width) + 0.2 * (np.log10(frame.lr) + 2) ** 2
    noise_NS = np.random.default_rng(0).normal(0, 0.05, (len(frame), 2))
    frame["loss_0"], frame["loss_1"] = frame.loss + noise_NS[:, 0], frame.loss + noise_NS[:, 1]
    frame["macs_millions"], frame["params"] = frame.width / 8.0, 1000 // frame.width
    change = {
        "dimensions": [
            {"name": "lr", "role": "recipe", "type": "ordinal", "log": True, "values": list(RATES)},
            {"name": "width", "role": "architecture", "type": "ordinal", "values": list(WIDTHS)},
            {"name": "optimizer", "role": "recipe", "type": "categorical", "values": ["adam", "sgd"]},
        ],
        "statistics": sorted(["macs_millions", "params"], key=lambda name: name != first),
    }
    return write(folder, change, frame)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return tables.load(recorded(tmp_path))


def test_learning_beats_ranking_beats_nothing(table: Table) -> None:
    frame = compare(table, NAMES, sizes=(5, 20), seeds=2)
    assert len(frame) == 3 * 2 * 2
    assert np.isfinite(frame[list(MEASURES)].to_numpy()).all()
    means = summary(frame).loc[table.name]
    assert means.index.to_list() == [(trials, name) for trials in (5, 20) for name in sorted(NAMES)]
    tau = {name: means["tau"].to_numpy()[place::3] for place, name in enumerate(sorted(NAMES))}  # at 5 and at 20 rows
    assert (tau["constant"] == 0).all()
    assert tau["rank_by_macs"][1] > 0.4
    assert tau["gp"][1] > tau["rank_by_macs"][1] + 0.05
    regret = means["top_10_regret"].to_numpy()
    assert regret[means.index.get_loc((20, "gp"))] < 0.2
    assert frame[["coverage_90", "coverage_90_noisy"]].to_numpy().max() <= 1
    # noise widens the interval and the label differs from the truth: the two are separate measures
    assert not frame["coverage_90"].equals(frame["coverage_90_noisy"])


def test_predictors_see_the_same_rows_and_the_same_seed_repeats(table: Table) -> None:
    alone = compare(table, ["gp"], sizes=(20,), seeds=1)
    beside = compare(table, ["constant", "gp"], sizes=(20,), seeds=1).query("predictor == 'gp'")
    pd.testing.assert_frame_equal(alone, beside.reset_index(drop=True))


def test_macs_are_found_in_any_column(tmp_path: Path, table: Table) -> None:
    (tmp_path / "other").mkdir()
    swapped = tables.load(recorded(tmp_path / "other", first="params"))
    assert swapped.statistic_names == ("log_params", "log_macs")
    first, second = (compare(t, ["rank_by_macs"], sizes=(5,), seeds=1) for t in (table, swapped))
    pd.testing.assert_frame_equal(first, second)


def test_labels_are_recorded_scores(table: Table) -> None:
    label_N = table.one_seed(np.random.default_rng(0))
    assert all(label in row for label, row in zip(label_N, table.scores_NS, strict=True))
    table.scores_NS[0, 0] = np.nan
    assert all(table.one_seed(np.random.default_rng(s))[0] == table.scores_NS[0, 1] for s in range(4))


def test_wrong_arguments(tmp_path: Path, table: Table) -> None:
    for names, sizes, seeds in ((NAMES, (1, 5), 1), (NAMES, (25,), 1), (NAMES, (5,), 0), ((), (5,), 1), (NAMES, (), 1)):
        with pytest.raises(ValueError, match="sizes from 2 to 24 and at least one seed"):
            compare(table, names, sizes, seeds)
    with pytest.raises(UnknownComponent, match="'oracle' is not in predictors/"):
        compare(table, ["constant", "oracle"], (5,), 1)
    with pytest.raises(ValueError, match=r"at least one TABLE\.json"):
        replay_predictors.compare_files([], NAMES, (5,), 1, tmp_path)


def test_a_table_without_macs(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    path.write_text(path.read_text().replace('"macs_millions", ', ""))
    with pytest.raises(ValueError, match="'rank_by_macs' needs macs; the statistics of space 'small' tell params"):
        compare(tables.load(path), ["rank_by_macs"], (5,), 1)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["replay", str(recorded(tmp_path)), "--out", str(tmp_path / "out"), "--seeds", "2"]
    assert __main__.main([*words, "--predictors", *NAMES, "--sizes", "5", "20", "50"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in (*NAMES, "tau", "too few rows to test after 50"))
    written = pd.read_csv(tmp_path / "out" / "predictors.csv")
    assert len(written) == 12
    assert not (tmp_path / "out" / "traces").exists()  # no sampler was played
    assert __main__.main([*words, "--sampler", "random", "--sizes", "5"]) == 2
    assert "--sizes belongs to --predictors" in capsys.readouterr().err
    assert __main__.main([*words, "--predictors", "oracle"]) == 2
    assert "'oracle' is not in predictors/" in capsys.readouterr().err
