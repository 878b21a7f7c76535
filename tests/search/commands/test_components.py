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


def test_without_a_kind_each_component_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components"]) == 0
    listed = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    for kind, listing in KINDS.items():
        for name in components.names(listing.kind):
            assert [kind, name, components.summary(listing.kind, name)] in [
                list(map(str.rstrip, row)) for row in listed
            ]


@pytest.mark.parametrize(
    ("kind", "name", "column", "cell"),
    [
        ("ingredient", "label_smoothing", 1, "rate"),
        ("ingredient", "label_smoothing", 2, "-"),
        ("ingredient", "label_smoothing", 4, "https://arxiv.org/abs/1512.00567"),
        ("objective", "simmim", 2, "tokens"),
        ("section", "importance", 1, "-"),
    ],
)
def test_knobs_have_their_defaults_and_what_the_search_supplies_is_none(
    kind: str, name: str, column: int, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["components", kind]) == 0
    assert rows(capsys.readouterr().out)[name][column] == cell


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [("ingredient", "label_smoothing", "as_published"), ("objective", "jensen_shannon", "family.objective")],
)
def test_where_a_component_can_be_chosen_is_told(
    kind: str, name: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["components", kind]) == 0
    assert place in rows(capsys.readouterr().out)[name][3]
