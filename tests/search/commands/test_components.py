import re

import pytest

from search.__main__ import main
from search.commands.components import KINDS
from spaces import components


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each row of the tables, by the name in the first one."""
    cells = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells if len(row) == 6 and row[0]}


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_of_a_kind_is_described(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", kind]) == 0
    listed = rows(capsys.readouterr().out)
    assert set(components.names(KINDS[kind].kind)) == set(listed) - {"name"}
    for name, (summary, _, features, chosen, paper) in listed.items():
        assert summary
        assert chosen != "-", f"nothing offers '{name}': put it into a space or behind a key of the configuration"
        assert name == "name" or (features == "-") is (KINDS[kind].features is None)
        assert name == "name" or (paper == "-") is not KINDS[kind].has_paper


def test_knobs_have_their_defaults_and_what_the_search_supplies_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components"]) == 0
    listed = rows(capsys.readouterr().out)
    *most, paper = listed["label_smoothing"]
    assert (most[1], most[2], paper) == ("rate", "-", "https://arxiv.org/abs/1512.00567")
    assert "as_published" in most[3]  # the others stand in further lines
    assert "family.objective" in listed["jensen_shannon"][3]
    assert listed["simmim"][2] == "tokens"
    assert listed["importance"][1] == "-"
