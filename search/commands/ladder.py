"""Train a member's pair on growing shares of the data, and say what more data would bring."""

import argparse
from pathlib import Path

EXAMPLE = "ladder runs/digits --member member-2 --seeds 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ladder``."""
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--member", help="whose pair is trained; the largest member's by default")
    parser.add_argument(
        "--shares", default="0.125,0.25,0.5,1", help="of the training images, each in the next (0.125,0.25,0.5,1)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each share (3)")
    parser.add_argument("--epochs", type=int, help="of each training, by default family.epochs; steps do not differ")
    parser.add_argument("--times", type=float, default=2.0, help="how many times the data to look ahead (2)")


def run(arguments: argparse.Namespace) -> None:
    """Train, print the ladder, how laws predict its last rung, and what more data would bring.

    Raises:
        UsageError: the run has no such member, or the ladder cannot be made.
        DataError: a share leaves a class without an image.
    """
    from search.commands import _ladder

    _ladder.ladder(arguments)
