"""The import rules of the house, read from the sources."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import ROOT

MAY_IMPORT = {
    "spaces": {"spaces"},
    "predictors": {"predictors", "spaces"},
    "trainables": {"trainables", "spaces"},
    "search": {"search", "predictors", "trainables", "spaces"},
}
FILES = sorted(file for package in MAY_IMPORT for file in (ROOT / package).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def roots(file: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(file)}


def test_there_are_files_to_check() -> None:
    assert {file.relative_to(ROOT).parts[0] for file in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_packages_import_in_one_direction(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    assert roots(file) & set(MAY_IMPORT) <= MAY_IMPORT[package]


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_ray_and_mlflow_stay_in_their_files(file: Path) -> None:
    name = relative(file)
    if "ray" in roots(file):
        assert name == "search/executors/ray_final.py" or name.startswith("search/executors/ray_")
    if "mlflow" in roots(file):
        assert name == "search/tracking/mlflow_store.py"


@pytest.mark.parametrize("file", [file for file in FILES if relative(file).startswith("spaces/")], ids=relative)
def test_spaces_are_numpy_and_the_standard_library(file: Path) -> None:
    assert roots(file) <= {"spaces", "numpy", "scipy"} | set(sys.stdlib_module_names)


def test_the_tiny_space_does_not_import_torch() -> None:
    code = "import sys, spaces.tiny; spaces.tiny.space(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
