"""The command line: ``nars COMMAND`` or ``python -m search COMMAND``. Every file of ``search/commands`` is one."""

import argparse
import contextlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 200
"""Characters of a fault that a terminal shows."""


class Parser(argparse.ArgumentParser):
    """Fails where help cannot be written, which argparse overlooks."""

    def print_help(self, file: Any = None) -> None:
        print(self.format_help(), end="", file=file)
        sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit code: 0; 2 for a user's mistake; 70 for a fault of the program; 128 and the number of the signal that
        ended it, which is 141 where the reader of its output has gone.
    """
    _open_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        shadow = shadowed()
        if shadow:
            return _fail(shadow)
        return _run(words)
    except KeyboardInterrupt as interrupt:
        return _interrupted(interrupt)


def parser(known: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Knows the arguments of some commands, by default of all; of others only the summary, without importing them."""
    from search.words import program
    from spaces import components  # once it is known to be ours

    top = Parser(prog=program(), description="Joint search of architecture and recipe.")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name in components.names(components.COMMANDS):
        summary = components.summary(components.COMMANDS, name)
        command = commands.add_parser(name, help=summary, description=summary)
        if known is None or name in known:
            module = components.load(components.COMMANDS, name)
            command.epilog = f"example: {program()} {module.EXAMPLE}"
            module.add_arguments(command)
            command.add_argument("--verbose", action="store_true", help="show what Ray writes, and traces of faults")
    return top


def _open_streams() -> None:
    """Open the streams that were closed, as by ``>&-``, into nothing.

    Else the next file that is opened has the number of one, and what libraries print goes into that file.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(opened)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _run(words: Sequence[str]) -> int:
    from search.errors import Fault, mendable
    from search.words import masked
    from spaces import components
    from spaces.mistake import Mistake

    arguments = argparse.Namespace()
    try:
        arguments = parser(words[:1]).parse_args(words)  # which imports what takes longest to begin
        _use_one_thread()
        components.load(components.COMMANDS, arguments.command).run(arguments)
        sys.stdout.flush()
    except Mistake as mistake:
        return _fail(masked(str(mistake)))
    except BrokenPipeError:
        return _unread()
    except SystemExit as end:  # how rich takes it
        if isinstance(end.__context__, BrokenPipeError):
            return _unread()
        raise
    except Exception as error:
        log = error.log if isinstance(error, Fault) else None
        cause = (error.__cause__ or error) if isinstance(error, Fault) else error
        sentence = mendable(cause)
        return _faulty(cause, log, arguments) if sentence is None else _fail(sentence)
    return 0


def _use_one_thread() -> None:
    """Predictors are small, and the other cores belong to the trials; a command without torch need not load it."""
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
    else:
        os.environ["OMP_NUM_THREADS"] = "1"  # trials set their own number


def _interrupted(interrupt: KeyboardInterrupt) -> int:
    number = int(interrupt.args[0]) if interrupt.args else 2
    from search.words import program

    with contextlib.suppress(OSError):  # the terminal may have gone
        print(f"stopped; what has ended is recorded, '{program()} resume' goes on", file=sys.stderr)
    return 128 + number


def _unread() -> int:
    """Nobody reads the output any more, as after ``| head``: end quietly, and flush what is left into nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + 13


def _faulty(error: BaseException, log: Path | None, arguments: argparse.Namespace) -> int:
    """Tell a fault of the program, whose trace is on the terminal only if it is asked for."""
    from search.errors import keep_trace
    from search.words import masked

    if getattr(arguments, "verbose", False):
        traceback.print_exception(error)
    folder = getattr(arguments, "run", None)
    if log is None:
        run = Path(folder) if isinstance(folder, str | Path) else None
        try:
            log = keep_trace(error, run / "search.log" if run and (run / "config.yaml").is_file() else None)
        except OSError:
            traceback.print_exception(error)
    words = masked(" ".join(f"{type(error).__name__}: {error}".split()))[:SHOWN]
    details = f"its details are in '{log}'" if log else "its details cannot be written anywhere and are above"
    print(f"fault of the program, not yours: {words}; {details}, please report it", file=sys.stderr)
    return 70


def _fail(message: str) -> int:
    from search.words import as_called

    print(f"error: {as_called(message)}", file=sys.stderr)
    return 2


def shadowed() -> str | None:
    """A sentence naming the package that Python finds elsewhere than beside this one, if any."""
    for package in ("spaces", "predictors", "trainables"):
        spec = importlib.util.find_spec(package)
        origin = None if spec is None or spec.origin is None else Path(spec.origin).resolve()
        if origin is None or origin.parent.parent != ROOT:
            return (
                f"Python finds the package '{package}' at {origin}, not beside '{ROOT / 'search'}'; "
                "run python -m search from the repository's root, without other packages of that name before it"
            )
    return None


if __name__ == "__main__":
    sys.exit(main())
