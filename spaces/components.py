"""Find a component by its file name: the only registry.

A component is a file in a folder (``trainables/backbones/mobile.py``) that defines the name its kind is made of
(``build``), or a folder whose ``__init__.py`` defines it, where a component needs parts. The folder's listing is the
list of what exists, so the driver and its workers cannot disagree.
"""

import ast
import importlib
import importlib.util
import inspect
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

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
OFFERED = frozenset({"left", "trained", "features", "texts", "names", "synonyms", "pool"})
"""What the trainer gives an adaptation that has a keyword for it (``trainables.adapt``), which is no knob."""
PROTOCOLS = Kind(package="trainables.assess", defines="classify")
EVALUATIONS = Kind(package="trainables.assess", defines="assess")
INGREDIENTS = Kind(package="trainables.recipe", defines="apply")
SOURCES = Kind(package="trainables.data", defines="load")
PICTURES = Kind(package="trainables.data", defines="pictures")
LAYOUTS = Kind(package="trainables.data.layouts", defines="rows")
PREDICTORS = Kind(package="predictors", defines="Model")
SAMPLERS = Kind(package="search.samplers", defines="Sampler")
EXECUTORS = Kind(package="search.executors", defines="Executor")
SECTIONS = Kind(package="search.report.sections", defines="section")
COMMANDS = Kind(package="search.commands", defines="run")


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """Names of the components of a kind, sorted; found by reading the files, without importing them."""
    return tuple(sorted(name for name, file in _files(kind.package).items() if _defines(file, kind.defines)))


@cache
def _files(package: str) -> dict[str, Path]:
    """The file of each module in a package, by the module's name."""
    spec = importlib.util.find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    files = {file.stem: file for folder in folders for file in Path(folder).glob("*.py")}
    parted = {file.parent.name: file for folder in folders for file in Path(folder).glob("*/__init__.py")}
    return {name: file for name, file in (files | parted).items() if name != "__init__"}


def _defines(file: Path, symbol: str) -> bool:
    """Whether a file defines a symbol; the contract of a kind (``class Executor(Protocol)``) is none of it.

    Read line by line: parsing every file of a folder would take longer than what most commands do.
    """
    code = re.sub(r"(\"{3}|'{3}).*?\1", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    definition = rf"^(def {symbol}\b|class {symbol}\b(?!\([^)]*\bProtocol\b))"
    return re.search(definition, code, re.MULTILINE) is not None


def _body(file: Path) -> list[ast.stmt]:
    return _module(file).body


def _module(file: Path) -> ast.Module:
    return _parsed(file, file.stat().st_mtime_ns)


@cache
def _parsed(file: Path, changed_ns: int) -> ast.Module:
    """A file's syntax, which several questions are asked of, as it was when it was last changed."""
    return ast.parse(file.read_text(encoding="utf-8"))


def summary(kind: Kind, name: str) -> str:
    """What a component is: the first paragraph of its docstring as one line, read without importing it.

    Raises:
        UnknownComponent: as ``load``.
    """
    _check(kind, name)
    return " ".join(_docstring(_files(kind.package)[name]).partition("\n\n")[0].split())


def _docstring(file: Path) -> str:
    """The string that a file begins with, after comments; nothing where it begins with something else."""
    with file.open(encoding="utf-8") as lines:
        for token in tokenize.generate_tokens(lines.readline):
            if token.type == tokenize.STRING:
                return inspect.cleandoc(str(ast.literal_eval(token.string)))
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                break
    return ""


NO_DEFAULT = object()
"""The default of a parameter that has none."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Default values of the parameters of a component's function by name, and whether it takes any keyword."""

    defaults: Mapping[str, Any]
    takes_any: bool

    def reads(self, keyword: str) -> bool:
        """Whether the function can be called with the keyword."""
        return self.takes_any or keyword in self.defaults


@cache
def parameters(kind: Kind, name: str) -> Parameters:
    """The parameters of the function that makes a component, read without importing it.

    A default that is neither a literal nor the name of one, here or where it is imported from, is given as written.

    Raises:
        UnknownComponent: as ``load``.
    """
    _check(kind, name)
    functions = [one for one in _body(_files(kind.package)[name]) if isinstance(one, ast.FunctionDef)]
    function = next((one for one in functions if one.name == kind.defines), None)
    if function is None:
        raise TypeError(f"{kind.package}.{name} defines {kind.defines} as a class, whose parameters are not read")
    every = function.args
    positional = [*every.posonlyargs, *every.args]
    absent = [None] * (len(positional) - len(every.defaults))
    names = [one.arg for one in (*positional, *every.kwonlyargs)]
    values = [*absent, *every.defaults, *every.kw_defaults]
    file = _files(kind.package)[name]
    defaults = {one: _default(file, value) for one, value in zip(names, values, strict=True)}
    return Parameters(defaults, takes_any=every.kwarg is not None)


def _default(file: Path, value: ast.expr | None) -> Any:
    if value is None:
        return NO_DEFAULT
    try:
        return _literal(file, value.id) if isinstance(value, ast.Name) else ast.literal_eval(value)
    except (LookupError, ValueError):
        return ast.unparse(value)


def _literal(file: Path, name: str) -> Any:
    """The literal that a file, or the one that it imports the name from, assigns to a name.

    Raises:
        LookupError: neither does.
    """
    for node in _body(file):
        if isinstance(node, ast.Assign) and any(getattr(target, "id", None) == name for target in node.targets):
            return ast.literal_eval(node.value)
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            spec = importlib.util.find_spec(node.module)
            if spec is not None and spec.origin is not None:
                return _literal(Path(spec.origin), name)
    raise LookupError(f"{file} has no literal {name}")


@cache
def constant(kind: Kind, name: str, constant: str) -> Any:
    """A literal that a component states about itself (``SUPPORTS = ("workers",)``), read without importing it.

    Raises:
        UnknownComponent: as ``load``.
        LookupError: the component states no such literal.
    """
    _check(kind, name)
    return _literal(_files(kind.package)[name], constant)


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
    if not _exists(kind, name):
        folder = kind.package.replace(".", "/")
        raise UnknownComponent(f"'{name}' is not in {folder}/, which has: {', '.join(names(kind))}")


@cache
def _exists(kind: Kind, name: str) -> bool:
    file = _files(kind.package).get(name)
    return file is not None and _defines(file, kind.defines)
