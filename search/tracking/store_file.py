"""The SQLite file of MLflow in a run's folder: made whole or not at all, and set aside where it is broken."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

TABLES = {"alembic_version", "experiments", "runs", "metrics", "params", "tags"}
"""Tables that a store has from its first moment on; without one its creation was cut off."""


def is_broken(path: Path) -> str:
    """Why an existing file is no store of MLflow; empty if it is one, or if it cannot be told now."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as store:
            (answer,) = store.execute("PRAGMA quick_check(1)").fetchone()
            names = {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    if answer != "ok":
        return " ".join(str(answer).split())[:200]
    return "" if names >= TABLES else "its creation was cut off"


def set_aside(path: Path) -> Path:
    """Give a file or folder another name beside it, and say which."""
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    path.rename(aside)
    return aside


def made_whole(path: Path, make: Callable[[Path], object]) -> None:
    """Make a store under a name of its own, which becomes ``path`` once it is whole, unless there is one by then."""
    own = path.with_name(f".{path.name}.tmp")
    for left in path.parent.glob(f"{own.name}*"):  # of a process that was killed
        left.unlink()
    make(own)
    if not path.exists():
        own.rename(path)
