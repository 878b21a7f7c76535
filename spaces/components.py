"""Find a component by its file name: the only registry.

A component is a file in a folder (``trainables/backbones/mobile.py``) that defines the name its kind is made of
(``build``), or a folder whose ``__init__.py`` defines it, where a component needs parts. The folder's listing is the
list of what exists, so the driver and its workers cannot disagree.
"""

import ast
import importlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from spaces.mistake import Mistake


class UnknownComponent(Mistake):
    """A name that no file carries; the message lists the names that exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of component.

    Attributes:
        package: the folder, as a package.
        defines: the function or class that makes a file in it a component.
    """

    package: str
    defines: str


SPACES = Kind(package="spaces", defines="space")
BACKBONES = Kind(package="trainables.backbones", defines="build")
OBJECTIVES = Kind(package="trainables.objectives", defines="objective")
ADAPTATIONS = Kind(package="trainables.adapt", defines="adapt")
EVALUATIONS = Kind(package="trainables.assess", defines="classify")
INGREDIENTS = Kind(package="trainables.recipe", defines="apply")
SOURCES = Kind(package="trainables.data", defines="load")
PICTURES = Kind(package="trainables.data", defines="pictures")
PREDICTORS = Kind(package="predictors", defines="Model")
SAMPLERS = Kind(package="search.samplers", defines="Sampler")
EXECUTORS = Kind(package="search.executors", defines="Executor")
SECTIONS = Kind(package="search.report.sections", defines="section")
COMMANDS = Kind(package="search.commands", defines="run")


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """Names of the components of a kind, sorted; found by reading the files, without importing them."""
    return tuple(sorted(name for name, file in _files(kind.package).items() if _defines(file, kind.defines)))


def _files(package: str) -> dict[str, Path]:
    """The file of each module in a package, by the module's name."""
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    files = {file.stem: file for folder in folders for file in Path(folder).glob("*.py")}
    parted = {file.parent.name: file for folder in folders for file in Path(folder).glob("*/__init__.py")}
    return {name: file for name, file in (files | parted).items() if name != "__init__"}


def _defines(file: Path, symbol: str) -> bool:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == symbol for node in body)


def summary(kind: Kind, name: str) -> str:
    """What a component is: the first paragraph of its docstring as one line, read without importing it.

    Raises:
        UnknownComponent: as ``load``.
    """
    _check(kind, name)
    docstring = ast.get_docstring(ast.parse(_files(kind.package)[name].read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def load(kind: Kind, name: str) -> ModuleType:
    """Import a component.

    Raises:
        UnknownComponent: no file of that name defines the kind's symbol; the message lists those that do.
    """
    _check(kind, name)
    return importlib.import_module(f"{kind.package}.{name}")


def parts_of(name: str) -> tuple[str, ...]:
    """Names of the objectives that a name joins by ``+``; itself where it is one."""
    return tuple(name.split("+"))


def _check(kind: Kind, name: str) -> None:
    existing = names(kind)
    if name not in existing:
        folder = kind.package.replace(".", "/")
        raise UnknownComponent(f"'{name}' is not in {folder}/, which has: {', '.join(existing)}")
