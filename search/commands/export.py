"""Copy a run's family elsewhere, with 8-bit copies and what they lose in accuracy."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from search.errors import UsageError
from search.files import alone, check_writable

if TYPE_CHECKING:
    from search.family.copies import Comparison


EXAMPLE = "export runs/digits --to digits-family"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``export``."""
    parser.add_argument("run", type=Path, help="folder of a finished run, such as runs/digits")
    parser.add_argument("--to", type=Path, required=True, help="folder to write; an earlier export is replaced")
    parser.add_argument(
        "--calibration", type=int, default=256, help="training images that set the ranges of the 8-bit copies (256)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Copy the family, add the 8-bit copies, and print what they lose.

    Raises:
        UsageError: the run has no family, or the target holds something else.
        Mistake: another process exports to the target.
        DamagedFiles: the family's files are not those that were exported.
    """
    from search.family.copies import copy_family
    from search.identity.folder import family_folder, prepare_run
    from search.identity.saved import saved

    if arguments.calibration < 1:
        raise UsageError(f"--calibration counts images and is at least 1, given {arguments.calibration}")
    source, target = family_folder(arguments.run), arguments.to
    _check_target(source, target)
    splits = prepare_run(saved(arguments.run)).splits
    target.mkdir(parents=True, exist_ok=True)
    with alone(target, keep_lock=False):
        comparisons = copy_family(source, target, splits, arguments.calibration)
    Console().print(table(comparisons))
    Console(highlight=False, soft_wrap=True).print(f"written: {target}")


def _check_target(source: Path, target: Path) -> None:
    from search.family.copies import is_copy

    if target.resolve() == source.resolve():
        raise UsageError(f"'{target}' is the run's own family; name another folder with --to")
    if target.exists() and not (target.is_dir() and is_copy(target)):
        raise UsageError(f"'{target}' exists and is no exported family; name another folder with --to")
    check_writable(target)


def table(comparisons: Sequence["Comparison"]) -> Table:
    """The comparisons for people."""
    columns = ("accuracy", "int8", "same class", "bytes", "int8", "ms", "int8")
    shown = Table("", *columns, title="models and their 8-bit copies: test accuracy, size, time of one image")
    shown.columns[0].no_wrap = True
    for one in comparisons:
        shares = (f"{share:.4f}" for share in (one.accuracy, one.int8_accuracy, one.same_class))
        times = (f"{one.latency_ms:.3f}", f"{one.int8_latency_ms:.3f}")
        shown.add_row(one.member, *shares, f"{one.size:,}", f"{one.int8_size:,}", *times)
    return shown
