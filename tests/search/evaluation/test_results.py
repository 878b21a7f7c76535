import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search.__main__ import main
from search.evaluation.results import read_evaluations, write_assessment
from search.report.sections import evaluations
from tests.search.report.examples import evidence
from trainables.assess import Assessment, Measure


def judged(value: float, **pictures: int) -> Assessment:
    return Assessment(
        measures=(
            Measure(metric="final", value=value, count=40, low=0.5, high=0.9),
            Measure(metric="after task", part="None, of 3", value=math.nan, count=0),
        ),
        pictures={name: np.full((4, 6, 3), level, dtype=np.uint8) for name, level in pictures.items()},
    )


def test_figures_are_read_as_they_were_written_and_replace_earlier_ones(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("member-1", "member-2")}
    for folder in folders.values():
        folder.mkdir()
    assert read_evaluations(folders).empty
    write_assessment(folders["member-1"], "continual", judged(0.2, old=1))
    files = write_assessment(folders["member-1"], "continual", judged(0.75, new=2))
    assert [file.name for file in files] == ["continual.csv", "continual-new.png"]
    assert not (folders["member-1"] / "evaluations" / "continual-old.png").exists()
    write_assessment(folders["member-2"], "continual", judged(0.5))
    table = read_evaluations(folders)
    assert table["network"].tolist() == ["member-1", "member-1", "member-2", "member-2"]
    assert table["part"].tolist() == ["", "None, of 3"] * 2
    assert table["value"].tolist()[::2] == [0.75, 0.5]
    assert table["value"].isna().tolist() == [False, True] * 2


def test_the_report_has_a_column_a_member(tmp_path: Path) -> None:
    folders = {"member-1": tmp_path / "a", "member-2": tmp_path / "b"}
    for value, folder in zip((0.75, 0.5), folders.values(), strict=True):
        folder.mkdir()
        write_assessment(folder, "continual", judged(value))
    section = evaluations.section(evidence(evaluations=read_evaluations(folders)))
    assert section is not None
    assert isinstance(section.table, pd.DataFrame)
    assert section.table[["member-1", "member-2"]].to_numpy().tolist() == [
        ["0.750 (0.500 to 0.900)", "0.500 (0.500 to 0.900)"],
        ["-", "-"],
    ]
    assert "continual: Classes that come task after task" in section.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "neither a run nor a folder with networks"),
        (("--with", "continual,grdcam"), "'grdcam' is not in trainables/assess/, which has: attributes"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err
