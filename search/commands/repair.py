"""Say what is wrong with the folder of a run, and mend what can be mended without training."""

import argparse
from pathlib import Path

EXAMPLE = "repair runs/digits --look"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``repair``."""
    parser.add_argument("run", type=Path, help="folder of the run, such as runs/digits")
    parser.add_argument("--look", action="store_true", help="change nothing, only say what is wrong")


def run(arguments: argparse.Namespace) -> None:
    """List, mend, and write again what was set aside.

    Raises:
        UsageError: the folder holds no run, another process works on it, or something cannot be mended.
    """
    from search.repair.command import repair

    repair(arguments.run, look=arguments.look, verbose=arguments.verbose)
