"""The command line: ``python -m search COMMAND``. Every file of ``search/commands`` is a command."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for a user's mistake, 130 when interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    shadow = shadowed()
    if shadow:
        return _fail(shadow)
    return _run(_parser(words).parse_args(words))


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Knows the arguments of the command that the words name; of others only the summary, without importing them."""
    from spaces import components  # once it is known to be ours

    parser = argparse.ArgumentParser(prog="python -m search", description="Joint search of architecture and recipe.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name in components.names(components.COMMANDS):
        summary = components.summary(components.COMMANDS, name)
        command = commands.add_parser(name, help=summary, description=summary)
        if words[:1] == [name]:
            components.load(components.COMMANDS, name).add_arguments(command)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    import torch  # which --help need not wait for

    from spaces import components
    from spaces.mistake import Mistake

    torch.set_num_threads(1)  # predictors are small, and the other cores belong to the trials

    try:
        components.load(components.COMMANDS, arguments.command).run(arguments)
    except Mistake as mistake:
        return _fail(str(mistake))
    except KeyboardInterrupt:
        print("stopped; what has ended is recorded, 'python -m search resume' goes on", file=sys.stderr)
        return 130
    return 0


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
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
