"""Fields of images that the columns of a manifest give."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainables.data._table import ATTRIBUTE, Table
from trainables.splits import DataError

BOX, POSE = "box", "pose"


def fields_of_rows(table: Table, classes: Sequence[str]) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The fields that the columns of a manifest give, one row each, and the names of the slices.

    Raises:
        DataError: a label that is no class, an attribute that is no number, or a box or a pose that cannot be.
    """
    coded = {name: table.codes(name) for name in ("group", "slice", "origin", "level") if table.has(name)}
    fields: dict[str, NDArray[Any]] = {name: code_N for name, (_, code_N) in coded.items()}
    if table.has("labels"):
        fields["labels"] = _labels(table, classes)
    attributes = [name for name in table.columns.column_names if name.startswith(ATTRIBUTE)]
    if attributes:
        fields["attribute"] = np.stack([_numbers(table, name) for name in attributes], axis=1)
    if table.has("frame"):
        number_N = np.nan_to_num(_numbers(table, "frame"), nan=-1.0)
        fields["frame"] = number_N.astype(np.int64)
    if table.has(BOX):
        fields[BOX] = _boxes(table)
    if table.has(POSE):
        fields[POSE] = _rows_of(table, POSE, 12).reshape(-1, 3, 4)
    return fields, coded["slice"][0] if "slice" in coded else ()


def _labels(table: Table, classes: Sequence[str]) -> NDArray[np.bool_]:
    number_of = {name: number for number, name in enumerate(classes)}
    right_NK = np.zeros((len(table), len(classes)), dtype=bool)
    for row, names in enumerate(table.lists("labels")):
        for name in names:
            if name not in number_of:
                raise DataError(f"{table.called(row)} has '{name}' among its labels, which is the label of no row")
            right_NK[row, number_of[name]] = True
    return right_NK


def _numbers(table: Table, name: str) -> NDArray[np.float32]:
    try:
        column = table.columns[name]
        values = pc.cast(table.text(name) if pa.types.is_string(column.type) else column, pa.float32())
    except pa.ArrowInvalid:
        raise DataError(f"column '{name}' of '{table.origin}' is to hold numbers, and does not") from None
    number_N: NDArray[np.float32] = pc.fill_null(values, float("nan")).to_numpy()
    return number_N


def _rows_of(table: Table, name: str, count: int) -> NDArray[np.float32]:
    """A column of lists of so many numbers each, not a number where there is none."""
    value_NC = np.full((len(table), count), np.nan, dtype=np.float32)
    for row, words in enumerate(table.lists(name)):
        if not words:
            continue
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            numbers = []
        if len(numbers) != count or not np.isfinite(numbers).all():
            raise DataError(f"{table.called(row)} has {name} '{'; '.join(words)[:80]}'; it is to be {count} numbers")
        value_NC[row] = numbers
    return value_NC


def _boxes(table: Table) -> NDArray[np.float32]:
    """Left, top, right and bottom of each row's object as shares of its picture."""
    box_N4 = _rows_of(table, BOX, 4)
    known_N = np.isfinite(box_N4[:, 0])
    outside_N = known_N & ((box_N4 < 0) | (box_N4 > 1)).any(1)
    empty_N = known_N & ((box_N4[:, 2] <= box_N4[:, 0]) | (box_N4[:, 3] <= box_N4[:, 1]))
    for wrong_N, reason in ((outside_N, "lies outside [0, 1]"), (empty_N, "has no area")):
        if wrong_N.any():
            row = int(wrong_N.argmax())
            box = ", ".join(f"{value:g}" for value in box_N4[row])
            raise DataError(
                f"{table.called(row)} has a box ({box}) that {reason}; a box is left, top, right and bottom as shares "
                "of the picture"
            )
    return box_N4


def on_squares(
    box_N4: NDArray[np.float32], width_N: NDArray[np.int64], height_N: NDArray[np.int64], crop_pct: float
) -> NDArray[np.float32]:
    """Boxes as shares of the middle square of each picture, cut at its sides; not a number where nothing of it is seen.

    Args:
        box_N4: left, top, right and bottom as shares of the whole pictures.
        width_N, height_N: of the pictures, in any unit.
        crop_pct: side of the square as a share of the shorter side.
    """
    size_N2 = np.stack([width_N, height_N], 1).astype(np.float64)
    seen_N2 = size_N2 / (size_N2.min(axis=1, keepdims=True) * crop_pct)  # sides of the picture in sides of the square
    box_N22 = (box_N4.reshape(-1, 2, 2) - 0.5) * seen_N2[:, None] + 0.5
    box_N22 = box_N22.clip(0.0, 1.0)
    box_N22[~(box_N22[:, 1] > box_N22[:, 0]).all(1)] = np.nan
    square_N4: NDArray[np.float32] = box_N22.reshape(-1, 4).astype(np.float32)
    return square_N4


def taken(fields: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Some rows of fields."""
    return {name: value_N[rows] for name, value_N in fields.items()}
