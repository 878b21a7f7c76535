"""List runs: how far each is, and the best that came out of it."""

import argparse
from pathlib import Path

from search.errors import UsageError

EXAMPLE = "runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``runs``."""
    parser.add_argument(
        "folders", type=Path, nargs="*", default=[Path("runs")], help="folders of runs, or runs; by default: runs"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print one line a run, the last changed first.

    Raises:
        UsageError: there is none.
    """
    from search.console.lines import aligned, say
    from search.console.runs import runs_in

    rows = runs_in(arguments.folders)
    if not rows:
        named = ", ".join(f"'{folder}'" for folder in arguments.folders)
        raise UsageError(f"no run in {named}; start one with: python -m search run CONFIG")
    table = [("run", "state", "trials", "best", "changed")]
    for row in rows:
        trials = "in a database" if row.trials is None else f"{row.trials} of {row.planned}"
        shown = "" if row.planned is None else trials
        table.append((str(row.folder), row.state, shown, row.best, f"{row.changed:%Y-%m-%d %H:%M}"))
    for line in aligned(table):
        say(line)
