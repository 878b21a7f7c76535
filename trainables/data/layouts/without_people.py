"""PASS: pictures without people, to pretrain on; each has a licence and names its author, and none has a label.

Its pictures lie in numbered folders, named by a hash, beside ``pass_metadata.csv``, where ``unickname`` is the author.
The publisher states CC-BY for all of them, so a table without a column ``licence`` has that one; one with such a column
is taken at its word. A column ``flags`` names what a detector has seen.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv

from trainables.data.layouts import Row, pictures_below
from trainables.splits import DataError

PAPER = "https://arxiv.org/abs/2109.13228"
READS = "FOLDER/HASH.jpg, and a table *metadata*.csv with the columns hash and unickname (or attribution)"
RULES = ("licensed", "attributed", "unlabelled")

LICENCE = "cc-by"
"""Of every picture, by the publisher."""
COLUMNS = {"unickname": "attribution", "creator_username": "attribution", "license": "licence"}
"""Other names of columns."""
TEXTS = ("hash", "attribution", "licence", "flags")


def rows(root: Path) -> Iterator[Row]:
    """Every picture below the folder, with what the table says of its hash; nothing where the table has no such row."""
    said = _said(root)
    for file in pictures_below(root):
        own = said.get(file.stem, {})
        yield Row(
            path=file.relative_to(root).as_posix(),
            licence=own.get("licence", ""),
            attribution=own.get("attribution", ""),
            flags=tuple(own.get("flags", "").split()),
        )


def _said(root: Path) -> Mapping[str, Mapping[str, Any]]:
    """The rows of the table by hash.

    Raises:
        DataError: there is no table, it cannot be read, or it lacks a column.
    """
    tables = sorted(root.glob("*metadata*.csv"))
    if not tables:
        raise DataError(f"layout 'without_people' finds no table *metadata*.csv in '{root}'; put it beside the folders")
    try:
        words = csv.ConvertOptions(column_types=dict.fromkeys((*TEXTS, *COLUMNS), pa.string()))
        table = csv.read_csv(tables[0], convert_options=words)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"'{tables[0]}' cannot be read: {' '.join(str(error).split())[:200]}") from error
    table = table.rename_columns([COLUMNS.get(name, name) for name in table.column_names])
    for name in ("hash", "attribution"):
        if name not in table.column_names:
            raise DataError(f"'{tables[0]}' has no column '{name}', but {', '.join(table.column_names)}")
    wanted = [name for name in TEXTS if name in table.column_names]
    columns = [[str(value or "") for value in table[name].to_pylist()] for name in wanted]
    default = {} if "licence" in wanted else {"licence": LICENCE}
    return {
        values[0]: {**default, **dict(zip(wanted[1:], values[1:], strict=True))}
        for values in zip(*columns, strict=True)
    }
