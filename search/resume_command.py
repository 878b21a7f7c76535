"""``python -m search resume RUN``: go on with a run that was stopped or killed, without repeating a finished trial."""

import argparse
from pathlib import Path

from search.family import load_family
from search.run_command import carry_out, saved, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``resume``."""
    parser.add_argument("run", type=Path, help="folder of the run, such as runs/digits")
    parser.add_argument("--verbose", action="store_true", help="let Ray write to the terminal, too")


def run(arguments: argparse.Namespace) -> None:
    """Go on; a finished run is only shown."""
    config = saved(arguments.run)
    if (config.folder / "family" / "family.json").exists():
        show(load_family(config.folder / "family"), config)
        return
    carry_out(config, verbose=arguments.verbose)
