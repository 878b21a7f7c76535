"""The import rules of the house. The table of rooms in ARCHITECTURE.md is the rule: the page cannot lie."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.places import ROOT

PACKAGES = ("spaces", "predictors", "trainables", "search")
MOST_FILES = 12
HOMES = {"ray": ("search/executors/", "search/replay/ray_asha.py"), "mlflow": ("search/tracking/",)}
"""Libraries that one room alone may import; Ray's own scheduler is also played beside our stopping rules."""


def files() -> list[Path]:
    return sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


def table() -> dict[str, set[str]]:
    """The rows ``| room | what it holds | imports |`` of the page, by room."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+)` \|[^|]*\| ([^|]*) \|$", text, re.MULTILINE)
    return {room: set(re.findall(r"`([\w/]+)`", imports)) for room, imports in rows}


def components() -> set[str]:
    """Rooms that the page marks as folders of components, where every file is one that a user may add."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([\w/]+)` \| components: ", text, re.MULTILINE))


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module: its package, or the folder of that package in which it lies; predictors are one room."""
    own = parts[0] != "predictors" and len(parts) > 1 and (ROOT / parts[0] / parts[1]).is_dir()
    return f"{parts[0]}/{parts[1]}" if own else parts[0]


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def edges() -> Iterator[tuple[str, str, str]]:
    """(room, room that it imports, where) of every import between two rooms."""
    for file in files():
        name = file.relative_to(ROOT).as_posix()
        room = room_of(file.relative_to(ROOT).parts)
        for module in imported(file):
            parts = tuple(module.split("."))
            if parts[0] in PACKAGES and room_of(parts) != room:
                yield room, room_of(parts), f"{name} imports {module}"


def test_rooms_import_as_the_architecture_page_says() -> None:
    allowed = table()
    assert not sorted(where for room, other, where in edges() if other not in allowed.get(room, set()))


def test_the_page_lists_every_room_and_no_edge_that_is_not_there() -> None:
    rooms = {room_of(file.relative_to(ROOT).parts) for file in files()}
    assert set(table()) == rooms
    stated = {(room, other) for room, others in table().items() for other in others}
    assert not sorted(stated - {(room, other) for room, other, _ in edges()})


def test_no_rooms_import_each_other_in_a_circle() -> None:
    assert list(graphlib.TopologicalSorter(table()).static_order())


def test_parts_of_predictors_know_the_contract_and_no_predictor() -> None:
    strays = [
        f"{file.name} imports {module}"
        for file in (ROOT / "predictors" / "parts").glob("*.py")
        for module in imported(file)
        if module.startswith("predictors.") and not module.startswith(("predictors.parts.", "predictors.protocol."))
    ]
    assert not strays


def test_rooms_are_small() -> None:
    rooms: dict[Path, list[str]] = {}
    for file in files():
        if file.name != "__init__.py":
            rooms.setdefault(file.parent, []).append(file.name)
    sizes = {folder.relative_to(ROOT).as_posix(): len(names) for folder, names in rooms.items()}
    open_ended = components() | {"spaces", "predictors", "search/report/sections"}  # where files are components
    assert not {room: size for room, size in sizes.items() if size > MOST_FILES and room not in open_ended}
    assert set(rooms[ROOT / "search"]) <= {"__main__.py", "errors.py", "files.py", "words.py"}


def test_ray_and_mlflow_stay_in_their_rooms() -> None:
    strays = [
        f"{name} imports {library}"
        for file in files()
        for library, homes in HOMES.items()
        for name in [file.relative_to(ROOT).as_posix()]
        if library in {module.partition(".")[0] for module in imported(file)} and not name.startswith(homes)
    ]
    assert not strays


def test_spaces_are_numpy_and_the_standard_library() -> None:
    allowed = {"spaces", "numpy", "scipy"} | set(sys.stdlib_module_names)
    strays = {
        f"{file.name} imports {module}"
        for file in (ROOT / "spaces").rglob("*.py")
        for module in imported(file)
        if module.partition(".")[0] not in allowed
    }
    assert not strays


def test_the_tiny_space_does_not_import_torch() -> None:
    code = "import sys, spaces.tiny; spaces.tiny.space(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
