import re

import pytest

from search.__main__ import main
from search.commands.components import KINDS
from spaces import components


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "2000")


def described(text: str) -> dict[str, dict[str, str]]:
    """What is said of each component by its name: its summary, and what stands behind each word."""
    said: dict[str, dict[str, str]] = {}
    for block in text.strip().split("\n\n"):
        name, summary, *rows = (line.strip() for line in block.splitlines())
        said[name] = {"summary": summary} | dict(re.split(r"\s{2,}", row, maxsplit=1) for row in rows)
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_of_a_kind_is_described(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components", kind]) == 0
    listed = described(capsys.readouterr().out)
    assert set(components.names(KINDS[kind].kind)) == set(listed)
    for name, said in listed.items():
        assert said["summary"] == components.summary(KINDS[kind].kind, name)
        assert "chosen in" in said, f"nothing offers '{name}': put it into a space or behind a key of the configuration"
        assert ("supports" in said) is (KINDS[kind].features is not None)
        assert ("paper" in said) is KINDS[kind].has_paper


def test_no_name_is_cut_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["components", "objective"]) == 0
    text = capsys.readouterr().out
    assert "…" not in text
    assert all(f"{name}\n" in text for name in components.names(components.OBJECTIVES))


def test_without_a_kind_each_component_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["components"]) == 0
    listed = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    for kind, listing in KINDS.items():
        for name in components.names(listing.kind):
            assert [kind, name, components.summary(listing.kind, name)] in [
                list(map(str.rstrip, row)) for row in listed
            ]


@pytest.mark.parametrize(
    ("kind", "name", "word", "said"),
    [
        ("ingredient", "label_smoothing", "knobs", "rate"),
        ("ingredient", "label_smoothing", "supports", None),
        ("ingredient", "label_smoothing", "paper", "https://arxiv.org/abs/1512.00567"),
        ("objective", "simmim", "supports", "tokens"),
        ("section", "importance", "knobs", None),
    ],
)
def test_knobs_have_their_defaults_and_what_the_search_supplies_is_none(
    kind: str, name: str, word: str, said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["components", kind]) == 0
    assert described(capsys.readouterr().out)[name].get(word) == said


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [("ingredient", "label_smoothing", "as_published"), ("objective", "jensen_shannon", "family.objective")],
)
def test_where_a_component_can_be_chosen_is_told(
    kind: str, name: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["components", kind]) == 0
    assert place in described(capsys.readouterr().out)[name]["chosen in"]
