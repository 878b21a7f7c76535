"""A family copied elsewhere, each member with a copy in 8-bit integers and what that loses."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search.family.export import latencies_of
from search.family.folder import EVALUATIONS, Runner, load_spec, onnx_runner
from search.family.handover import save_family
from search.family.members import load_family
from search.family.quantise import quantise
from search.files import LOCK, SUMS, check_sums, whole_folder, write_text
from trainables.counting.latency import device_name
from trainables.counting.times import Latency
from trainables.splits import Images, Splits

BATCH = 256

LEFT = (LOCK, ".member-*.tmp", ".int8.csv.*.tmp", "int8.csv", ".family.json.*.tmp")
"""What a killed export may leave beside whole members, before there is a ``family.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A member's ONNX file and its 8-bit copy: accuracies on the test split, bytes, and milliseconds of one image."""

    member: str
    accuracy: float
    int8_accuracy: float
    same_class: float
    size: int
    int8_size: int
    latency_ms: float
    int8_latency_ms: float


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
            shutil.copytree(
                source / member.name, folder, ignore=shutil.ignore_patterns(SUMS, EVALUATIONS), dirs_exist_ok=True
            )
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
    times = {path: latencies_of(path) for path in (original, small)}
    comparison = _compare(name, original, small, splits.test, times)
    write_text(folder / "README.md", _described(comparison, folder, times, images=len(row_N), tested=len(splits.test)))
    return comparison


def _compare(
    name: str, original: Path, small: Path, test: Images, times: Mapping[Path, Sequence[Latency]]
) -> Comparison:
    class_N, small_class_N = _classes(onnx_runner(original), test), _classes(onnx_runner(small), test)
    return Comparison(
        member=name,
        accuracy=float((class_N == test.label_N).mean()),
        int8_accuracy=float((small_class_N == test.label_N).mean()),
        same_class=float((class_N == small_class_N).mean()),
        size=original.stat().st_size,
        int8_size=small.stat().st_size,
        latency_ms=round(times[original][0].median_ms, 5),
        int8_latency_ms=round(times[small][0].median_ms, 5),
    )


def _described(
    comparison: Comparison, folder: Path, times: Mapping[Path, Sequence[Latency]], *, images: int, tested: int
) -> str:
    """The member's card with the 8-bit copy."""
    side = load_spec(folder).preprocessing.decoding.side
    rows = "".join(
        f"| {floats.batch} | {floats.median_ms:.3f} ms | {small.median_ms:.3f} ms |\n"
        for floats, small in zip(times[folder / "model.onnx"], times[folder / "model.int8.onnx"], strict=True)
    )
    larger = comparison.int8_size > comparison.size
    remark = " (a graph this small gains more in scales than its weights lose)" if larger else ""
    text = (
        f"\n## 8-bit integers\n\n`model.int8.onnx` was quantised after training (static ranges from {images} "
        f"training images, weights per channel) and takes the same {side} x {side} images. On the "
        f"{tested} test images its accuracy is {comparison.int8_accuracy:.4f}, that of `model.onnx` "
        f"{comparison.accuracy:.4f}; they agree on {comparison.same_class:.2%} of the images. "
        f"{comparison.int8_size} bytes instead of {comparison.size}{remark}.\n\n"
        f"| images in a pass | `model.onnx` | `model.int8.onnx` |\n|---|---|---|\n{rows}\n"
        f"Medians, measured one after the other on {device_name()}, onnxruntime, 1 thread.\n"
    )
    return (folder / "README.md").read_text(encoding="utf-8") + text


def _batches(images: Images) -> Iterator[NDArray[np.float32]]:
    for batch in images.batches(BATCH):
        yield batch.numpy()


def _classes(run_model: Runner, images: Images) -> NDArray[np.int64]:
    return np.concatenate([run_model(batch).argmax(axis=1) for batch in _batches(images)])
