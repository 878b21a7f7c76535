"""Processes that tests start and look for. Nothing else is ever touched: they are found through /proc, by descent."""

import contextlib
import importlib
import multiprocessing
import multiprocessing.process
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
"""Forks processes from one that has imported, once, what takes seconds to import."""
CONTEXT.set_forkserver_preload(["tests.preloaded"])


def children(of: int) -> list[tuple[int, str]]:
    """Process number and command line of all descendants."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
    descendants, open_ = [], [of]
    while open_:
        for child in parents.get(open_.pop(), []):
            open_.append(child)
            with contextlib.suppress(OSError):
                descendants.append(
                    (child, Path(f"/proc/{child}/cmdline").read_text(errors="replace").replace("\0", " "))
                )
    return descendants


def state(of: int) -> str:
    """The letter of /proc/PID/stat: R runs, S sleeps, T is stopped, Z is dead and waited for; "" if there is none."""
    try:
        return Path(f"/proc/{of}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def wait_until(holds: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "what the test waits for does not happen"
        time.sleep(0.02)


def free_port() -> int:
    """Outside the ports that Ray gives to its workers, and those that the system gives to others."""
    for port in range(21_000 + os.getpid() % 5_000, 30_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


@dataclass(frozen=True)
class At:
    """A moment of a process, at which it sends itself a signal: before or after a call of a function.

    Attributes:
        function: ``module:name`` or ``module:Class.method``, of the place that it is called from.
        call: which call, from 1.
        after: whether the call has returned.
        number: of the signal.
    """

    function: str
    call: int = 1
    after: bool = False
    number: int = signal.SIGKILL

    def arm(self) -> None:
        """Have the signal sent by this process."""
        module, _, path = self.function.partition(":")
        *owners, name = path.split(".")
        owner: Any = importlib.import_module(module)
        for part in owners:
            owner = getattr(owner, part)
        original, calls = getattr(owner, name), iter(range(1, sys.maxsize))

        def counted(*arguments: Any, **keywords: Any) -> Any:
            due = next(calls) == self.call
            if due and not self.after:
                os.kill(os.getpid(), self.number)
            result = original(*arguments, **keywords)
            if due and self.after:
                os.kill(os.getpid(), self.number)
            return result

        setattr(owner, name, counted)


def elsewhere(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process of another interpreter, so with other hashes of texts."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_send, args=(there, function, arguments))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        raise AssertionError(f"the process of {function.__name__} has ended without a result") from None
    finally:
        process.join()


def _send(there: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    there.send(function(*arguments))


@dataclass(frozen=True)
class Searching:
    """A process of ``python -m search``, with what it has printed."""

    process: multiprocessing.process.BaseProcess
    output: Path
    error: Path

    @property
    def code(self) -> int:
        """Exit code once it has ended; that of SIGKILL is -9."""
        self.process.join(600)
        assert self.process.exitcode is not None, "the process goes on"
        return self.process.exitcode


@contextlib.contextmanager
def searching(folder: Path, *arguments: str | Path, at: At | None = None) -> Iterator[Searching]:
    """A process that carries out a command; what is left of it is killed at the end. Its output goes to the folder."""
    output, error = folder / "stdout", folder / "stderr"
    process = CONTEXT.Process(target=_search, args=([str(argument) for argument in arguments], output, error, at))
    process.start()
    try:
        yield Searching(process, output, error)
    finally:
        process.kill()
        process.join()


def _search(arguments: list[str], output: Path, error: Path, at: At | None) -> None:
    for path, number in ((output, 1), (error, 2)):
        with path.open("wb") as stream:
            os.dup2(stream.fileno(), number)
    if at is not None:
        at.arm()
    from search.__main__ import main

    sys.exit(main(arguments))
