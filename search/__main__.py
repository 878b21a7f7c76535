"""The command line: ``python -m search COMMAND``."""

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

COMMANDS = {
    "run": ("search.commands.run", "search, train and export a family, as a configuration says"),
    "resume": ("search.commands.resume", "go on with a run that was stopped or killed"),
    "check": ("search.commands.check", "find mistakes in a configuration without training"),
    "evolve": ("search.commands.evolve", "new limits or fixed dimensions on a finished study: pairs in seconds"),
    "train": ("search.commands.train", "train candidates, such as those of evolve, in full and export them"),
    "export": ("search.commands.export", "copy a run's family elsewhere, with 8-bit copies and what they lose"),
    "report": ("search.commands.report", "write the report of a run again and print its family"),
    "replay": ("search.commands.replay", "play samplers over recorded trials, or export a run as such a table"),
    "fidelity": ("search.commands.fidelity", "compare stopping rules on recorded learning curves"),
    "components": (
        "search.commands.components",
        "list what candidates can be made of: knobs, what it supports, paper, check",
    ),
    "spaces": ("search.commands.spaces", "list the spaces, or show one and some of its candidates"),
}
"""Module (with ``add_arguments`` and ``run``) and summary of each command; only the one asked for is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for a user's mistake, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wrong = shadowed()
    if wrong:
        return _fail(wrong)
    parser = argparse.ArgumentParser(prog="python -m search", description="Joint search of architecture and recipe.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="name")
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if given[:1] == [name]:
            importlib.import_module(module).add_arguments(command)
    parsed = parser.parse_args(given)
    return _carry_out(COMMANDS[parsed.name][0], parsed)


def _carry_out(module: str, parsed: argparse.Namespace) -> int:
    import torch  # which --help need not wait for

    from search.errors import USER_ERRORS

    torch.set_num_threads(1)  # predictors are small, and the other cores belong to the trials

    try:
        importlib.import_module(module).run(parsed)
    except USER_ERRORS as error:
        return _fail(str(error))
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
        found = None if spec is None or spec.origin is None else Path(spec.origin).resolve()
        if found is None or found.parent.parent != ROOT:
            return (
                f"Python finds the package '{package}' at {found}, not beside '{ROOT / 'search'}'; "
                "run python -m search from the repository's root, without other packages of that name before it"
            )
    return None


if __name__ == "__main__":
    sys.exit(main())
