"""Go on with a run that was stopped or killed, without repeating a finished trial."""

import argparse
from pathlib import Path

EXAMPLE = "resume runs/digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``resume``."""
    parser.add_argument("run", type=Path, help="folder of the run, such as runs/digits")


def run(arguments: argparse.Namespace) -> None:
    """Go on; a finished run is only shown, and MLflow is sent what it lacks."""
    from search.identity.saved import saved

    config = saved(arguments.run)  # before anything that takes seconds to import
    from search.experiment.running import carry_out, show_finished
    from search.family.members import is_complete

    if is_complete(config.folder / "family"):
        show_finished(config)
        return
    carry_out(config, verbose=arguments.verbose)
