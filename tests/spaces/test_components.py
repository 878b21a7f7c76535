"""A component is a file, or a folder with parts, that defines what its kind is made of."""

from itertools import count
from pathlib import Path

import pytest

from spaces.components import Kind, UnknownComponent, load, names, summary

NUMBERS = count()


@pytest.fixture(name="kind")
def _kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kind:
    package = f"components_of_{next(NUMBERS)}"  # what a package holds is read once a process
    files = {
        "__init__.py": "",
        "alone.py": "def build():\n    return 'a file'\n",
        "parted/__init__.py": f"from {package}.parted._part import WORD\n\ndef build():\n    return WORD\n",
        "parted/_part.py": "WORD = 'a folder'\n\ndef build():\n    return 'no component'\n",
        "_helper.py": "WIDTH = 3\n",
        "told.py": '"""Told of only:\n\ndef build(): ...\n"""\n',
        "contract.py": "from typing import Protocol\n\n\nclass build(Protocol):\n    pass\n",
        "classed.py": "# first a comment\n'What it is,\\nin two lines.\\n\\nAnd more.'\n\n\nclass build:\n    pass\n",
        "empty/__init__.py": "from other import build\n",
    }
    for name, text in files.items():
        path = tmp_path / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return Kind(package=package, defines="build")


def test_a_file_and_a_folder_are_components(kind: Kind) -> None:
    assert names(kind) == ("alone", "classed", "parted")
    assert [load(kind, name).build() for name in ("alone", "parted")] == ["a file", "a folder"]


def test_a_summary_is_the_first_paragraph_of_what_a_file_says_of_itself(kind: Kind) -> None:
    assert summary(kind, "classed") == "What it is, in two lines."
    assert summary(kind, "alone") == ""


def test_names_in_strings_and_contracts_are_no_components(kind: Kind) -> None:
    for name in ("told", "contract"):
        with pytest.raises(UnknownComponent):
            load(kind, name)


def test_an_unknown_name_is_answered_with_those_that_exist(kind: Kind) -> None:
    with pytest.raises(
        UnknownComponent, match=rf"'empty' is not in {kind.package}/, which has: alone, classed, parted"
    ):
        load(kind, "empty")
