"""Put finished runs beside each other: their fronts, and the settings that differ."""

import argparse
from pathlib import Path

EXAMPLE = "compare runs/digits runs/digits-2 --to compared.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``compare``."""
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs, such as runs/digits")
    parser.add_argument("--to", type=Path, help="also write it as a page, with a picture of the fronts")


def run(arguments: argparse.Namespace) -> None:
    """Print the tables, and write the page.

    Raises:
        UsageError: a run has no family, there are fewer than two, or the page cannot be written.
    """
    from search.console.compare import card_rows, differences, read_finished, remarks, rows
    from search.console.compare_page import write_page
    from search.console.lines import aligned, say, tell
    from search.errors import UsageError

    runs = read_finished(arguments.runs)
    different, card = differences(runs), card_rows(runs)
    title = "settings that differ" if len(different) > 1 else "no setting differs but the places of files"
    blocks = [
        aligned(rows(runs)),
        aligned(card) if card else [],
        [title, *(aligned(different) if different[1:] else [])],
    ]
    for block in filter(None, blocks):
        for line in (*block, ""):
            say(line)
    for sentence in remarks(runs):
        tell(sentence)
    if arguments.to is not None:
        try:
            write_page(runs, arguments.to)
        except OSError as error:
            raise UsageError(f"cannot write '{arguments.to}': {error.strerror or error}") from error
        say(f"written: {arguments.to}")
