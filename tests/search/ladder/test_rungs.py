"""What of a ladder is trained, and what its command refuses."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from search.__main__ import main
from search.errors import UsageError
from search.ladder.rungs import COLUMNS, Ladder, rungs, shares_of
from tests.search.products import candidate


def test_shares_are_read_in_rising_order() -> None:
    assert shares_of("1, 0.5,.25,0.1") == (0.1, 0.25, 0.5, 1.0)


@pytest.mark.parametrize("text", ["0.5,1", "0.1,0.2,0.5,2", "0.1,0.5,0.5,1,1", "a,b,c,d", "0,0.1,0.5,1"])
def test_other_shares_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="4 or more different shares of the training images, above 0 and at most 1"):
        shares_of(text)


def test_trainings_of_other_ladders_are_left_alone() -> None:
    own = candidate()
    ladder = Ladder(candidate=own, shares=(0.5, 1.0), seeds=2, epochs=3)
    rows = [
        (own.key, 3, 1.0, 100, 1, 0.5, 0.6, 40),
        (own.key, 3, 0.5, 50, 0, 0.5, 0.6, 40),
        (own.key, 9, 0.5, 50, 1, 0.5, 0.6, 40),
        ("other", 3, 0.5, 50, 1, 0.5, 0.6, 40),
        (own.key, 3, 0.5, 50, 2, 0.5, 0.6, 40),
    ]
    table = rungs(pd.DataFrame(rows, columns=list(COLUMNS)), ladder)
    assert table[["share", "seed"]].to_numpy().tolist() == [[0.5, 0], [1.0, 1]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seeds", "1"), "--seeds counts trainings of each rung, 2 to 100, given 1"),
        (("--times", "1"), "--times is how many times the data or the cost, above 1"),
        (("--epochs", "0"), "--epochs counts epochs, from 1 on, given 0"),
        (("--along", "architecture.width.0", "--shares", "0.1,0.2,0.5,1"), "leave one of --along and --shares out"),
        (("--values", "8,16"), "--values and --over are of a ladder along an address"),
        ((), "holds no run"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ladder", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.nightly
def test_a_ladder_is_trained_once_and_says_what_more_data_would_bring(
    product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(product, tmp_path / "small")
    assert main(["ladder", str(run), "--member", "member-9"]) == 2
    assert "there is no member 'member-9'; the family has member-1" in capsys.readouterr().err
    assert main(["ladder", str(run), "--seeds", "2", "--epochs", "1"]) == 0
    assert "2 times the data (1,796 images) would bring" in capsys.readouterr().out
    table = (run / "ladder" / "ladder.csv").read_bytes()
    assert main(["ladder", str(run), "--seeds", "2", "--epochs", "1"]) == 0
    assert (run / "ladder" / "ladder.csv").read_bytes() == table
    capsys.readouterr()
    assert main(["ladder", str(run), "--along", "architecture.resolution", "--seeds", "2", "--epochs", "1"]) == 0
    assert "2 times the macs" in capsys.readouterr().out
    trained = pd.read_csv(run / "ladder" / "along.csv")
    assert trained["macs"].is_monotonic_increasing
    assert main(["ladder", str(run), "--along", "architecture.resolution", "--seeds", "2", "--epochs", "1"]) == 0
    assert pd.read_csv(run / "ladder" / "along.csv").equals(trained)
