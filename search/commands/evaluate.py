"""Judge exported networks beyond their accuracy, by one or all of the evaluations."""

import argparse
from pathlib import Path

from search.commands._arguments import seed

EXAMPLE = "evaluate runs/digits --with inputs,continual"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``evaluate``."""
    parser.add_argument("run", type=Path, help="folder of a finished run, an exported family or one network")
    parser.add_argument(
        "--with", dest="names", metavar="NAME", help="evaluations, such as inputs,continual (all that there are)"
    )
    parser.add_argument("--data", help="data as YAML, such as digits or '{source: folder, path: photos}'")
    parser.add_argument(
        "--images",
        action="append",
        default=[],
        metavar="KEY=PATH",
        help="with members: where their images are now, such as path=/data/photos (a key of section data)",
    )
    parser.add_argument("--seed", type=seed, default=0, help="of whatever an evaluation draws (0)")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate every network of a folder; a run's report and MLflow show the figures, too.

    Raises:
        UsageError: there is no network to evaluate, or no data to evaluate it on.
        UnknownComponent: there is no such evaluation; the message lists those that there are.
    """
    from search.commands._evaluate import evaluate

    evaluate(arguments.run, arguments.names, arguments.data, arguments.images, arguments.seed)
