"""Look at images, and write a configuration that fits them and this machine."""

import argparse
from pathlib import Path

EXAMPLE = "init photos/ --minutes 30"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``init``."""
    parser.add_argument(
        "path",
        help="a folder with a folder of images for each class, or with train, val and test of such; shards (*.tar); "
        "or what the library datasets wrote to disk",
    )
    parser.add_argument("--to", type=Path, help="file to write; by default NAME.yaml here, after the folder")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training that the search may take (60)")


def run(arguments: argparse.Namespace) -> None:
    """Write the file, and say what it holds.

    Raises:
        UsageError: the file exists, or there is nothing to look at.
        DataError: the images cannot be used.
    """
    from search.commands._init import write_configuration

    write_configuration(arguments.path, arguments.to, arguments.minutes)
