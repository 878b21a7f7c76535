"""A family copied elsewhere, each member with a copy in 8-bit integers and what that loses."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search.family.folder import Runner, load_spec, onnx_runner
from search.family.handover import save_family
from search.family.members import load_family
from search.family.quantise import quantise
from search.files import SUMS, check_sums, whole_folder, write_text
from trainables.splits import Images, Splits

BATCH = 256

LEFT = (".member-*.tmp", ".int8.csv.*.tmp", "int8.csv", ".family.json.*.tmp")
"""What a killed export may leave beside whole members, before there is a ``family.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A member's ONNX file and its 8-bit copy on the test split: accuracies, and size in bytes."""

    member: str
    accuracy: float
    int8_accuracy: float
    same_class: float
    size: int
    int8_size: int


def is_copy(folder: Path) -> bool:
    """Whether a folder is empty, an export, or what a killed export left."""
    if (folder / "family.json").exists():
        return True
    return all((path / SUMS).is_file() or any(fnmatch(path.name, name) for name in LEFT) for path in folder.iterdir())


def copy_family(source: Path, target: Path, splits: Splits, calibration: int) -> list[Comparison]:
    """Write a family with 8-bit copies to ``target``; every member's folder appears whole.

    Args:
        source: folder of the family.
        target: folder to write.
        splits: training images set the ranges of the copies, test images show what they lose.
        calibration: how many training images, at most.

    Raises:
        DamagedFiles: a member's files are not those that were exported.
    """
    family = load_family(source)
    comparisons = []
    for member in family.members:
        check_sums(source / member.name)
        with whole_folder(target / member.name) as folder:
            shutil.copytree(source / member.name, folder, ignore=shutil.ignore_patterns(SUMS), dirs_exist_ok=True)
            comparisons.append(_add_int8(member.name, folder, splits, calibration))
    table = pd.DataFrame([asdict(one) for one in comparisons])
    write_text(target / "int8.csv", table.to_csv(index=False))
    save_family(family, target)
    return comparisons


def _add_int8(name: str, folder: Path, splits: Splits, calibration: int) -> Comparison:
    original, small = folder / "model.onnx", folder / "model.int8.onnx"
    # Every k-th image: the order of a source may be that of its classes.
    row_N = np.linspace(0, len(splits.train) - 1, min(calibration, len(splits.train))).round().astype(np.int64)
    quantise(original, small, _batches(splits.train.take(row_N)))
    comparison = _compare(name, original, small, splits.test)
    _describe(comparison, folder, images=len(row_N), tested=len(splits.test))
    return comparison


def _compare(name: str, original: Path, small: Path, test: Images) -> Comparison:
    class_N, small_class_N = _classes(onnx_runner(original), test), _classes(onnx_runner(small), test)
    return Comparison(
        member=name,
        accuracy=float((class_N == test.label_N).mean()),
        int8_accuracy=float((small_class_N == test.label_N).mean()),
        same_class=float((class_N == small_class_N).mean()),
        size=original.stat().st_size,
        int8_size=small.stat().st_size,
    )


def _describe(comparison: Comparison, folder: Path, *, images: int, tested: int) -> None:
    """Add the 8-bit copy to the member's card."""
    side = load_spec(folder).preprocessing.decoding.side
    text = (
        f"\n## 8-bit integers\n\n`model.int8.onnx` was quantised after training (static ranges from {images} "
        f"training images, weights per channel) and takes the same {side} x {side} images. On the "
        f"{tested} test images its accuracy is {comparison.int8_accuracy:.4f}, that of `model.onnx` "
        f"{comparison.accuracy:.4f}; they agree on {comparison.same_class:.2%} of the images. "
        f"{comparison.int8_size} bytes instead of {comparison.size}.\n"
    )
    card = folder / "README.md"
    write_text(card, card.read_text(encoding="utf-8") + text)


def _batches(images: Images) -> Iterator[NDArray[np.float32]]:
    for batch in images.batches(BATCH):
        yield batch.numpy()


def _classes(run_model: Runner, images: Images) -> NDArray[np.int64]:
    return np.concatenate([run_model(batch).argmax(axis=1) for batch in _batches(images)])
