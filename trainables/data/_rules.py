"""What must hold of the rows of a manifest before a picture is decoded: licences, attribution, flags, pairs, balance.

A rule gives the rows that may be used and sentences about those that may not, or refuses in one that names a row.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainables.data._table import Table
from trainables.splits import DataError

FALSE = ("", "0", "false", "no", "none")
"""Texts that are no flag, in any case."""
LABELS = ("label", "labels", "level", "split")
"""Columns that say what a picture shows, or were made by one that does."""

Ruled = tuple[Table, list[str]]


def permitted(table: Table, licences: Sequence[str] | None, attributed: bool, rules: Sequence[str] = ()) -> Ruled:
    """The rows that may be used, and sentences about those that may not.

    Flagged rows are never used. A row without a licence, or without an attribution, is refused where one is required,
    since nobody knows whether it may be used; one of another licence is left out.

    Args:
        table: of a manifest.
        licences: that are allowed, in any case; ``*`` for any. None requires no licence.
        attributed: whether every row must name whom it is owed to.
        rules: of its layout, of ``RULES``.

    Raises:
        DataError: a row lacks what is required, or none is left.
    """
    table, remarks = _without_flagged(table)
    if attributed:
        _require(table, "attribution", "data.attributed")
    if licences is not None:
        _require(table, "licence", "data.licences")
        table, others = _of_licences(table, {one.casefold() for one in licences})
        remarks += others
    for rule in rules:
        table, others = RULES[rule](table)
        remarks += others
    if not len(table):
        raise DataError(f"no row of '{table.origin}' may be used: {'; '.join(remarks)}")
    return table, remarks


def _without_flagged(table: Table) -> Ruled:
    if not table.has("flags"):
        return table, []
    flagged_N = np.array([any(one.casefold() not in FALSE for one in row) for row in table.lists("flags")])
    if not flagged_N.any():
        return table, []
    remark = f"{flagged_N.sum():,} flagged picture(s) of the manifest are left out"
    return table.take(np.flatnonzero(~flagged_N)), [remark]


def _require(table: Table, column: str, key: str) -> None:
    if not table.has(column):
        raise DataError(f"{key} asks for the {column} of every picture, and '{table.origin}' has no column '{column}'")
    absent = pc.equal(table.text(column), "").to_numpy()
    if absent.any():
        row = int(absent.argmax())
        raise DataError(
            f"{table.called(row)} has no {column}, which {key} asks of every picture; add it, or remove the row"
        )


def _of_licences(table: Table, licences: set[str]) -> Ruled:
    if "*" in licences:
        return table, []
    names, code_N = table.codes("licence")
    other_N = np.array([name.casefold() not in licences for name in names])[code_N]
    if not other_N.any():
        return table, []
    which = ", ".join(name for name in names if name.casefold() not in licences)
    remark = f"{other_N.sum():,} picture(s) of other licences ({which[:100]}) are left out"
    return table.take(np.flatnonzero(~other_N)), [remark]


# rules of layouts ----------------------------------------------------------------------------------------------------


def _licensed(table: Table) -> Ruled:
    _require(table, "licence", "its layout")
    return table, []


def _attributed(table: Table) -> Ruled:
    _require(table, "attribution", "its layout")
    return table, []


def _unlabelled(table: Table) -> Ruled:
    """Labels are dropped before anything could read them."""
    return table.without(*LABELS), []


def _two_in_each_group(table: Table) -> Ruled:
    """Every object or identity has two pictures, so that each has a partner."""
    names, code_N = table.codes("group")
    alone_N = np.bincount(code_N + 1, minlength=len(names) + 1)[code_N + 1] < 2
    if alone_N.any():
        row = int(alone_N.argmax())
        raise DataError(
            f"{table.called(row)} is the only picture of group '{names[code_N[row]]}', and its layout needs two of "
            f"each ({alone_N.sum():,} are alone); add another, or remove it"
        )
    return table, []


def _balanced(table: Table) -> Ruled:
    """Of every slice and split as many pictures of each class: those beyond, drawn by a hash of their path, are left
    out."""
    cell_N = np.stack([table.codes(name)[1] if table.has(name) else np.zeros(len(table), int) for name in _CELL], 1)
    classes, label_N = table.codes("label")
    _, cell_N = np.unique(cell_N, axis=0, return_inverse=True)
    count_CK = np.zeros((cell_N.max() + 1, len(classes)), dtype=np.int64)
    np.add.at(count_CK, (cell_N, label_N), 1)
    if not count_CK.all():
        cell, label = np.argwhere(count_CK == 0)[0]
        row = int(np.flatnonzero(cell_N == cell)[0])
        where = ", ".join(f"{name} '{table.text(name)[row]}'" for name in _CELL if table.has(name))
        raise DataError(
            f"'{table.origin}' has no picture '{classes[label]}' of {where}, but '{table.text('label')[row]}' ones "
            f"such as {table.called(row)}; its layout needs as many of each: add some, or remove the others"
        )
    chosen = np.sort(np.concatenate(list(_evenly(table, cell_N, label_N, count_CK.min(axis=1)))))
    if len(chosen) == len(table):
        return table, []
    return table.take(chosen), [f"{len(table) - len(chosen):,} picture(s) are left out, so that classes are balanced"]


_CELL = ("slice", "split")


def _evenly(
    table: Table, cell_N: NDArray[np.int64], label_N: NDArray[np.int64], least_C: NDArray[np.int64]
) -> Sequence[NDArray[np.int64]]:
    """Of each cell and class as many rows as its smallest class has."""
    digest_N = np.array(
        [hashlib.blake2b(one.encode(), digest_size=8).digest() for one in table.text("path").to_pylist()]
    )
    order_N = np.lexsort((digest_N, label_N, cell_N))
    pair_N = np.stack([cell_N, label_N], 1)[order_N]
    starts = np.flatnonzero(np.r_[True, (pair_N[1:] != pair_N[:-1]).any(1)])
    return [rows[: least_C[cell_N[rows[0]]]] for rows in np.split(order_N, starts[1:])]


RULES: Mapping[str, Callable[[Table], Ruled]] = {
    "licensed": _licensed,
    "attributed": _attributed,
    "unlabelled": _unlabelled,
    "two_in_each_group": _two_in_each_group,
    "balanced": _balanced,
}
"""What a layout may state of its rows."""
