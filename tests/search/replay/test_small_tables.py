"""Tables on which nothing can be played, fitted or begun: a sentence each."""

from pathlib import Path

import pandas as pd
import pytest

from search.replay.predictors import compare
from search.replay.samplers import play_samplers
from search.replay.tables import load
from spaces.mistake import Mistake
from tests.search.replay.tables import write


def cut(folder: Path, rows: int) -> Path:
    path = write(folder)
    parquet = path.with_suffix(".parquet")
    pd.read_parquet(parquet).head(rows).to_parquet(parquet)
    return path


def play(table: Path, source: Path | None = None) -> None:
    play_samplers([table], ["nars"], 3, 1, 2, table.parent / "out", earlier=source)


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_a_table_of_a_few_rows_is_not_played(rows: int, tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=rf"small\.json has {rows} candidates with a score; a replay needs at least 10"):
        play(cut(tmp_path, rows))


def test_a_table_of_equal_scores_is_not_played(tmp_path: Path) -> None:
    path = write(tmp_path)
    frame = pd.read_parquet(path.with_suffix(".parquet")).assign(loss=1.0)
    frame.to_parquet(path.with_suffix(".parquet"))
    with pytest.raises(Mistake, match=r"all 12 candidates of .* have the same score"):
        play(path)


def test_no_search_starts_from_one_row(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(Mistake, match="has 1 candidate with a score; a start from it needs at least two"):
        play(write(tmp_path), cut(tmp_path / "other", 1))


def test_no_predictor_is_fitted_to_one_row(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="has 1 rows; to fit and test a predictor takes at least 22"):
        compare(load(cut(tmp_path, 1)), ["gp"], [5], 1)
