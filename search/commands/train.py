"""Train candidates in full and export them, such as those of evolve, or an exported member again."""

import argparse
from pathlib import Path

EXAMPLE = "train runs/digits --candidates runs/digits/candidates.json --to trained"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``train``."""
    parser.add_argument(
        "what",
        type=Path,
        help="folder of a run; folder of an exported member, which is all that is needed; or a candidate.json",
    )
    parser.add_argument("--candidates", type=Path, help="with a run: candidates.json of evolve, in place of its family")
    parser.add_argument("--config", type=Path, help="with a candidate.json: the configuration with data and schedule")
    parser.add_argument(
        "--images",
        action="append",
        default=[],
        metavar="KEY=PATH",
        help="with a member: where its images are now, such as path=/data/photos (a key of section data)",
    )
    parser.add_argument("--to", type=Path, required=True, help="folder for the family and its report")
    parser.add_argument("--seeds", type=int, help="trainings of each network, in place of the configuration's number")


def run(arguments: argparse.Namespace) -> None:
    """Carry out the command.

    Raises:
        Mistake: see ``search.commands._train``.
    """
    from search.commands import _train

    _train.train(arguments)
