"""How a command ends that cannot go on: mistakes of its use, faults of the program, and where their details are."""

import errno
import os
import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from search.words import masked
from spaces.mistake import FULL, Mistake

FULL_WORDS = ("no space left on device", "database or disk is full", "disk quota exceeded", "file too large")
"""What libraries say that hide the number of the error."""


PLACES = {
    errno.EISDIR: "is a folder, where a file is needed; move what is there away, or choose another place",
    errno.ENOTDIR: "is a file or lies below one, where a folder is needed; move what is there away, or choose another "
    "place",
    errno.ENAMETOOLONG: "is longer than this system allows; choose another place",
    errno.EROFS: "is on a disk that cannot be written; make it writable, or copy what is there to one that is",
    errno.ELOOP: "is a link that leads to itself; move what is there away, or choose another place",
}
"""What is wrong with a place, and what to do, by the error that the system names."""


class UsageError(Mistake):
    """A command cannot do what it is asked for; the message says why and what to do."""


class Fault(Exception):
    """A fault of the program, its cause, whose trace is in ``log``."""

    def __init__(self, log: Path) -> None:
        super().__init__(f"a fault of the program; its details are in '{log}'")
        self.log = log


BRIEF = 200
"""Characters of what an exception says in a line of text."""


def keep_trace(error: BaseException, log: Path | None = None) -> Path:
    """Write what a report of a fault needs: the trace, the command and the versions.

    Args:
        error: the fault.
        log: file that it is added to; a new one in the temporary folder without it, or where it cannot be written.

    Returns:
        The file that holds it.

    Raises:
        OSError: no file can be written.
    """
    text = _details(error)
    if log is not None:
        try:
            with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            pass  # such as a full disk; the temporary folder may be on another
        else:
            return log
    handle, name = tempfile.mkstemp(prefix="nars-fault-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(name)


def _details(error: BaseException) -> str:
    command = " ".join(["python -m search", *sys.argv[1:]])
    versions = f"Python {platform.python_version()} on {platform.platform()}"
    trace = "".join(traceback.format_exception(error))
    head = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  fault of the program in: {command}\n{versions}\n"
    return masked(f"{head}{trace}")


def brief(error: BaseException) -> str:
    """What an exception says, for a line of text: of a database's, without the statement that failed."""
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    return masked(said.partition(" [SQL: ")[0])[:BRIEF]


def mendable(error: BaseException) -> str | None:
    """A sentence where an exception of the system is something that a user can mend; None for faults of the program."""
    chain = _chain(error)
    if any(isinstance(one, MemoryError) for one in chain):
        return "this machine has not enough memory for what was asked; choose smaller images, fewer of them, or less"
    for one in chain:
        if isinstance(one, OSError) and one.errno in FULL:
            return _full(f" ('{one.filename}')" if one.filename else "")
        if any(words in str(one).lower() for words in FULL_WORDS):
            return _full("")
    first = chain[0]
    if isinstance(first, PermissionError) and first.filename:
        return f"'{first.filename}' must not be read or written by this user ({first.strerror}); change its rights"
    if isinstance(first, OSError) and first.errno in PLACES and first.filename:
        place = first.filename2 or first.filename  # of a renaming, the second
        return f"'{place}' {PLACES[first.errno]}"
    return None


def _full(where: str) -> str:
    return f"the disk is full{where}; free some space, then give the command again: what has ended is recorded"


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and those that it came from, without circles."""
    chain: list[BaseException] = []
    later: BaseException | None = error
    while later is not None and all(later is not one for one in chain):
        chain.append(later)
        later = later.__cause__ or later.__context__
    return chain
