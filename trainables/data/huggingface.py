"""Hugging Face ``datasets`` on disk: a folder that ``save_to_disk`` wrote (any fsspec URI), or one of parquet files."""

import importlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainables.data.decoded import (
    UNREADABLE,
    Encoded,
    cached,
    check_readable,
    digest_of,
    evaluated_as_files,
    form_of,
    store_of,
)
from trainables.data.kept import Form
from trainables.data.photo_folders import part_of
from trainables.data.splitting import HASH, completed
from trainables.splits import DataError, Images, Splits
from trainables.survey import Survey


def load(
    *,
    path: str,
    image: str = "image",
    label: str = "label",
    resolution: int = 32,
    stored: int = 0,
    crop_pct: float = 1.0,
    grey: bool = False,
    background: Any = "white",
    unreadable: float = UNREADABLE,
    validation: float = 0.2,
    test: float = 0.2,
    split: str = HASH,
    split_seed: int = 0,
    cache: str | None = None,
) -> Splits:
    """Decode the images and, where the data has no splits of its own, split the images (``trainables.data.splitting``).

    Args:
        path: folder of ``save_to_disk``, or a folder of ``*.parquet`` (with ``train-*``, ``validation-*``, ``test-*``
            where there are splits), as a data set of the hub has it.
        image, label: columns of the encoded image and of the class.
        resolution: side of the square images, in pixels.
        stored: keeps training images whole, the shorter side made smaller until it has as many pixels, so that every
            epoch cuts squares of its own (``recipe.photo_augment``); with 0 all are squares.
        crop_pct: side of a square as a share of the shorter side of the resized image in whose middle it lies.
        grey: one channel instead of three.
        background: colour under transparency: ``white``, ``'#ffcc00'`` or ``[255, 204, 0]``.
        unreadable: share of the images that may be left out because they cannot be read.
        validation: share of the images that are split for search-validation, if there is no such split.
        test: share of the images that are split for the final figures, if there is no such split.
        split: ``hash`` splits by each image's own content, so that images that are added move no other; ``drawn`` meets
            the shares to the image, class by class, and draws anew when the images change.
        split_seed: of the split.
        cache: folder for the decoded images; the system's temporary folder by default.

    Raises:
        DataError: there is no data set, it lacks a column, or too many images are unreadable.
    """
    store, form = store_of(cache), form_of(resolution, stored, crop_pct, grey, background)
    tables = _parts(path, _opened(path, store))
    if "train" not in tables:
        raise DataError(f"'{path}' has no split 'train'; save a DatasetDict with train (and validation, test)")
    for name, table in tables.items():
        absent = [column for column in (image, label) if column not in table.column_names]
        if absent:
            raise DataError(
                f"split '{name}' of '{path}' has no column '{absent[0]}', but {', '.join(table.column_names)}; "
                "name them as data.image and data.label"
            )
    names = _names(tables["train"], label)
    decoded = {
        part: _decoded(table, image, label, names, form if part == "train" else form.squares, store)
        for part, table in tables.items()
    }
    parts = {part: images for part, (images, _) in decoded.items()}
    survey = sum((own for _, own in decoded.values()), Survey())
    check_readable(survey, unreadable, path)
    splits = completed(
        parts,
        names,
        split=split,
        validation=validation,
        test=test,
        seed=split_seed,
        decoding=form.decoding,
        survey=survey,
    )
    return evaluated_as_files(splits, store, lambda: _encoded(tables["train"], image, label, names), form)


def _parts(path: str, tables: Mapping[str, Any]) -> dict[str, Any]:
    """The splits that are parts, by what they are; others, such as one of images without labels, are left alone."""
    parts: dict[str, Any] = {}
    for name, table in tables.items():
        part = part_of(name)
        if part in parts:
            raise DataError(f"'{path}' has two splits that mean '{part}', one of them '{name}'; keep one")
        if part is not None:
            parts[part] = table
    return parts


def _package() -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise DataError("data.source 'huggingface' needs datasets: pip install datasets") from error


def _opened(path: str, store: Path) -> Mapping[str, Any]:
    """The splits of a data set; one without splits is its training part."""
    datasets = _package()
    parquet = sorted(Path(path).rglob("*.parquet")) if Path(path).is_dir() else []
    try:
        if not parquet:
            stored = datasets.load_from_disk(path)
            return stored if isinstance(stored, Mapping) else {"train": stored}
        files: dict[str, list[str]] = {}
        for file in parquet:
            part = file.name.partition("-")[0].partition(".")[0]
            files.setdefault(part if part_of(part) else "train", []).append(str(file))
        options = {"data_files": files, "cache_dir": str(store / "huggingface")}
        splits: Mapping[str, Any] = datasets.load_dataset("parquet", **options)
        return splits
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"data.path '{path}' is no data set on disk ({reason}); give a folder of save_to_disk"
        ) from error


def _names(table: Any, label: str) -> tuple[str, ...]:
    """Class names: those of the column's type, or its different values in order."""
    known = getattr(table.features[label], "names", None)
    return tuple(known) if known else tuple(map(str, sorted(set(table.unique(label)))))


def _decoded(
    table: Any, image: str, label: str, names: tuple[str, ...], form: Form, store: Path
) -> tuple[Images, Survey]:
    # The fingerprint of a data set changes with its content, whatever it was made by.
    digest = digest_of(form, table._fingerprint, image, label, names)
    return cached(store, digest, lambda: _encoded(table, image, label, names), form)


def _encoded(table: Any, image: str, label: str, names: tuple[str, ...]) -> Iterator[Encoded]:
    numbered = getattr(table.features[label], "names", None) is not None
    number_of = {name: number for number, name in enumerate(names)}
    stored = table.select_columns([image, label]).cast_column(image, _package().Image(decode=False))
    for row, sample in enumerate(stored):
        content, name = sample[image], f"row {row} of {image}"
        if content is None:
            raise DataError(f"{name} is empty; remove the row")
        source = Path(content["path"]) if content["bytes"] is None else io.BytesIO(content["bytes"])
        number = sample[label] if numbered else number_of.get(str(sample[label]))
        if number is None or not 0 <= number < len(names):
            raise DataError(f"{name} has class {sample[label]!r}, which the training part does not have")
        yield Encoded(name=name, source=source, label=number)
