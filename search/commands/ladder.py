"""Train a member's pair on growing shares of the data, or grown and shrunk: what more would bring."""

import argparse
from pathlib import Path

SHARES = "0.125,0.25,0.5,1"
EXAMPLE = "ladder runs/digits --member member-2 --seeds 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``ladder``."""
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--member", help="whose pair is trained; the largest member's by default")
    parser.add_argument("--shares", help=f"of the training images, each in the next ({SHARES})")
    parser.add_argument(
        "--along", metavar="ADDRESS", help="in place of shares, an address of the space, such as architecture.width.0"
    )
    parser.add_argument("--values", help="of that address, such as 8,16,24,32; all that the limits allow by default")
    parser.add_argument("--over", choices=("macs", "params"), help="what laws along an address are over (macs)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each rung (3)")
    parser.add_argument("--epochs", type=int, help="of each training, by default family.epochs; steps do not differ")
    parser.add_argument(
        "--times", type=float, default=2.0, help="how many times the data, or the cost, to look ahead (2)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Train, print the ladder, how laws predict its last rung, and what more would bring.

    Raises:
        UsageError: the run has no such member, or the ladder cannot be made.
        DataError: a share leaves a class without an image.
    """
    from search.commands import _ladder

    _ladder.ladder(arguments)
