"""Processes that a test has started, found through /proc so that nothing else is ever touched."""

import contextlib
from pathlib import Path


def children(of: int) -> list[tuple[int, str]]:
    """Process number and command line of all descendants."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found, open_ = [], [of]
    while open_:
        for child in parents.get(open_.pop(), []):
            open_.append(child)
            with contextlib.suppress(OSError):
                found.append((child, Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")))
    return found
