"""Threads and processes that outlive the test that started them."""

import contextlib
import ctypes
import threading
import time
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path

from tests.processes import state

OURS = ("outbox", "system metrics")
"""Names of the threads of the product that are daemons."""

HELPERS = ("multiprocessing.forkserver", "multiprocessing.resource_tracker")
"""Processes of Python itself, which it ends with this one."""

GRACE_SECONDS = 15.0
"""What was told to end may take so long."""

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_lasting: set[Hashable] = set()


def adopt_orphans() -> None:
    """Have processes whose parent ends, such as those of a driver that a test kills, become children of this one."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextlib.contextmanager
def lasting() -> Iterator[None]:
    """What the block starts may stay until the end of the session."""
    before = _running().keys()
    yield
    _lasting.update(_running().keys() - before)


@contextlib.contextmanager
def checked() -> Iterator[None]:
    """Fail if what the block starts is still there some time after it."""
    before = _running().keys()
    yield
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := _left(before)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, f"left running: {', '.join(left)}"


def _left(before: Mapping[Hashable, str] | set[Hashable]) -> list[str]:
    return [what for one, what in _running().items() if one not in before and one not in _lasting]


def _running() -> dict[Hashable, str]:
    return {**_threads(), **_processes()}


def _threads() -> dict[Hashable, str]:
    """Those that keep a process from ending, and ours."""
    return {
        thread: f"thread '{thread.name}'"
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and (not thread.daemon or thread.name in OURS)
    }


def _processes() -> dict[Hashable, str]:
    """The children of this process that run."""
    running: dict[Hashable, str] = {}
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                words = Path(f"/proc/{child}/cmdline").read_text(errors="replace").replace("\0", " ")
                if state(child) not in ("", "Z") and not any(helper in words for helper in HELPERS):
                    running[child] = f"process {child} ({words[:200]})"
    return running
