"""Copy a run's family elsewhere, with 8-bit copies and what they lose in accuracy."""

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from search.errors import UsageError
from search.experiment.running import saved
from search.family.folder import Runner, load_spec, onnx_runner
from search.family.handover import save_family
from search.family.members import Family, Member, load_family
from search.family.quantise import quantise
from search.files import SUMS, check_sums, check_writable, whole_folder, write_text
from trainables.data.sources import load_source
from trainables.splits import Images, Splits

BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A member's ONNX file and its 8-bit copy on the test split: accuracies, and size in bytes."""

    member: str
    accuracy: float
    int8_accuracy: float
    same_class: float
    size: int
    int8_size: int


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
        DamagedFiles: the family's files are not those that were exported.
    """
    if arguments.calibration < 1:
        raise UsageError(f"--calibration counts images and is at least 1, given {arguments.calibration}")
    config = saved(arguments.run)
    source, target = config.folder / "family", arguments.to
    if not (source / "family.json").is_file():
        raise UsageError(f"'{arguments.run}' has no family yet; finish it: python -m search resume {arguments.run}")
    _check_target(source, target)
    splits = load_source(config.data.source, config.data.keywords)
    show(export_family(source, target, splits, arguments.calibration), target)


def _check_target(source: Path, target: Path) -> None:
    if target.resolve() == source.resolve():
        raise UsageError(f"'{target}' is the run's own family; name another folder with --to")
    if target.exists() and not (target.is_dir() and _is_ours(target)):
        raise UsageError(f"'{target}' exists and is no exported family; name another folder with --to")
    check_writable(target)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is empty, an export, or what a killed export left: members, and what was to become one."""
    if (folder / "family.json").exists():
        return True
    return all((path / SUMS).is_file() or fnmatch(path.name, ".member-*.tmp") for path in folder.iterdir())


def export_family(source: Path, target: Path, splits: Splits, calibration: int) -> list[Comparison]:
    """Write a family with 8-bit copies to ``target``; every member's folder appears whole.

    Raises:
        DamagedFiles: a member's files are not those that were exported.
    """
    family = load_family(source)
    compared = []
    for member in family.members:
        check_sums(source / member.name)
        with whole_folder(target / member.name) as folder:
            shutil.copytree(source / member.name, folder, ignore=shutil.ignore_patterns(SUMS), dirs_exist_ok=True)
            compared.append(_add_int8(member, folder, splits, calibration))
    _save(family, compared, target)
    return compared


def _save(family: Family, compared: list[Comparison], target: Path) -> None:
    table = pd.DataFrame([asdict(one) for one in compared])
    write_text(target / "int8.csv", table.to_csv(index=False))
    save_family(family, target)


def _add_int8(member: Member, folder: Path, splits: Splits, calibration: int) -> Comparison:
    # Every k-th image: the order of a source may be that of its classes.
    chosen_N = np.linspace(0, len(splits.train) - 1, min(calibration, len(splits.train))).round().astype(np.int64)
    original, small = folder / "model.onnx", folder / "model.int8.onnx"
    quantise(original, small, _batches(splits.train.take(chosen_N)))
    classes_N = _classes(onnx_runner(original), splits.test)
    small_N = _classes(onnx_runner(small), splits.test)
    label_N = splits.test.label_N
    compared = Comparison(
        member=member.name,
        accuracy=float((classes_N == label_N).mean()),
        int8_accuracy=float((small_N == label_N).mean()),
        same_class=float((classes_N == small_N).mean()),
        size=original.stat().st_size,
        int8_size=small.stat().st_size,
    )
    spec = load_spec(folder)
    text = (
        f"\n## 8-bit integers\n\n`model.int8.onnx` was quantised after training (static ranges from {len(chosen_N)} "
        f"training images, weights per channel) and takes the same {spec.size} x {spec.size} images. On the "
        f"{len(label_N)} test images its accuracy is {compared.int8_accuracy:.4f}, that of `model.onnx` "
        f"{compared.accuracy:.4f}; they agree on {compared.same_class:.2%} of the images. "
        f"{compared.int8_size} bytes instead of {compared.size}.\n"
    )
    card = folder / "README.md"
    write_text(card, card.read_text(encoding="utf-8") + text)
    return compared


def _batches(images: Images) -> Iterator[NDArray[np.float32]]:
    for batch in images.batches(BATCH):
        yield batch.numpy()


def _classes(run_model: Runner, images: Images) -> NDArray[np.int64]:
    return np.concatenate([run_model(batch).argmax(axis=1) for batch in _batches(images)])


def show(compared: list[Comparison], target: Path) -> None:
    """Print the comparison and where everything is."""
    console = Console()
    table = Table("member", "accuracy", "int8 accuracy", "same class", "bytes", "int8 bytes", title="on the test split")
    for one in compared:
        shares = (f"{share:.4f}" for share in (one.accuracy, one.int8_accuracy, one.same_class))
        table.add_row(one.member, *shares, f"{one.size:,}", f"{one.int8_size:,}")
    console.print(table)
    console.print(f"written: {target}", highlight=False, soft_wrap=True)
