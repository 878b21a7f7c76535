"""Find a component by its file name: the only registry.

A component is a file in a folder (``trainables/backbones/mobile.py``) that defines the name its kind is made of
(``build``), or a folder whose ``__init__.py`` defines it, where a component needs parts. The folder's listing is the
list of what exists, so the driver and its workers cannot disagree.
"""

import ast
import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType


class UnknownComponent(ValueError):
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


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """Names of the components of a kind, sorted; found by reading the files, without importing them."""
    spec = importlib.util.find_spec(kind.package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    found = pkgutil.iter_modules(folders)
    return tuple(sorted(module.name for module in found if _defines(folders, module.name, kind.defines)))


def _defines(folders: list[str], module: str, symbol: str) -> bool:
    candidates = (Path(folder) / file for folder in folders for file in (f"{module}/__init__.py", f"{module}.py"))
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == symbol for node in body)


def load(kind: Kind, name: str) -> ModuleType:
    """Import a component.

    Raises:
        UnknownComponent: no file of that name defines the kind's symbol; the message lists those that do.
    """
    existing = names(kind)
    if name not in existing:
        folder = kind.package.replace(".", "/")
        raise UnknownComponent(f"'{name}' is not in {folder}/, which has: {', '.join(existing)}")
    return importlib.import_module(f"{kind.package}.{name}")
