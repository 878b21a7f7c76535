"""A component is a file, or a folder with parts, that defines what its kind is made of."""

import sys
from pathlib import Path

import pytest

from spaces.components import Kind, UnknownComponent, load, names

PACKAGE = "a_package_of_components"


@pytest.fixture(name="kind")
def _kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kind:
    files = {
        "__init__.py": "",
        "alone.py": "def build():\n    return 'a file'\n",
        "parted/__init__.py": f"from {PACKAGE}.parted._part import WORD\n\ndef build():\n    return WORD\n",
        "parted/_part.py": "WORD = 'a folder'\n\ndef build():\n    return 'no component'\n",
        "_helper.py": "WIDTH = 3\n",
        "empty/__init__.py": "from other import build\n",
    }
    for name, text in files.items():
        path = tmp_path / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for module in [module for module in sys.modules if module.partition(".")[0] == PACKAGE]:
        monkeypatch.delitem(sys.modules, module)
    names.cache_clear()
    return Kind(package=PACKAGE, defines="build")


def test_a_file_and_a_folder_are_components(kind: Kind) -> None:
    assert names(kind) == ("alone", "parted")
    assert [load(kind, name).build() for name in names(kind)] == ["a file", "a folder"]


def test_an_unknown_name_is_answered_with_those_that_exist(kind: Kind) -> None:
    with pytest.raises(UnknownComponent, match=rf"'empty' is not in {PACKAGE}/, which has: alone, parted"):
        load(kind, "empty")
