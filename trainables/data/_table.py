"""The table of a manifest: one picture a row, in Parquet, CSV or JSON lines, at any URI that fsspec opens."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv, json, parquet

from trainables.data._caption_files import OWN
from trainables.splits import DataError

KINDS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".ndjson": "json"}
COLUMNS = (
    *("path", "label", "labels", "split", "licence", "attribution", "flags"),
    *("group", "frame", "slice", "origin", "level", "box", "pose"),
)
"""What a column may be called, beside ``attribute.NAME``, ``caption`` and ``caption.LANGUAGE``; others are not read."""
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What other programs put between columns."""
SPELLINGS = {"license": "licence", "file": "path", "file_name": "path", "class": "label"}
"""Other names of such columns."""
ATTRIBUTE, CAPTION = "attribute.", "caption"
SEPARATOR = ";"
"""Between several labels or flags in one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of a manifest.

    Attributes:
        origin: where it was read.
        columns: by their names here.
        number_N: of each row in the file, from 1.
    """

    origin: str
    columns: pa.Table
    number_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.number_N)

    def has(self, name: str) -> bool:
        """Whether there is a column."""
        return name in self.columns.column_names

    def without(self, *names: str) -> "Table":
        """The rows without these columns, where there are such."""
        return replace(self, columns=self.columns.drop_columns([name for name in names if self.has(name)]))

    def take(self, rows: NDArray[np.int64]) -> "Table":
        """Some of the rows, in this order."""
        return replace(self, columns=self.columns.take(pa.array(rows)), number_N=self.number_N[rows])

    def text(self, name: str) -> pa.ChunkedArray:
        """A column as text without blanks around it, an empty one where there is nothing."""
        column = self.columns[name]
        if pa.types.is_nested(column.type):
            raise DataError(f"column '{name}' of '{self.origin}' holds lists; it is to hold one value a row")
        if not pa.types.is_string(column.type):
            column = pc.cast(column, pa.string())
        return pc.utf8_trim_whitespace(pc.fill_null(column, ""))

    def codes(self, name: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """The different texts of a column, sorted, and the number of each row's; -1 where there is none."""
        encoded = self.text(name).combine_chunks().dictionary_encode()
        words: list[str] = encoded.dictionary.to_pylist()
        names = tuple(sorted(word for word in words if word))
        number_of = {word: number for number, word in enumerate(names)}
        number_W = np.array([number_of.get(word, -1) for word in words], dtype=np.int64)
        return names, number_W[encoded.indices.to_numpy()] if len(words) else np.empty(0, dtype=np.int64)

    def lists(self, name: str) -> list[list[str]]:
        """A column of lists, or of texts with ``;`` between what they list."""
        if pa.types.is_list(self.columns[name].type):
            return [[str(one) for one in row or ()] for row in self.columns[name].to_pylist()]
        return [[one.strip() for one in row.split(SEPARATOR) if one.strip()] for row in self.text(name).to_pylist()]

    def captions(self, language: str) -> list[list[str]]:
        """The captions of each row in a language; those without one are ``own``.

        Raises:
            DataError: there is no such column.
        """
        name = CAPTION if language == OWN else f"{CAPTION}.{language}"
        if not self.has(name):
            columns = [one for one in self.columns.column_names if one.startswith(CAPTION)]
            known = ", ".join(one.removeprefix(f"{CAPTION}.") if one != CAPTION else OWN for one in columns)
            raise DataError(
                f"data.captions: '{self.origin}' has no column '{name}'; it has captions {known or 'of no kind'}"
            )
        if pa.types.is_list(self.columns[name].type):
            return [[str(one) for one in row or ()] for row in self.columns[name].to_pylist()]
        return [[text] if text else [] for text in self.text(name).to_pylist()]

    def called(self, row: int) -> str:
        """What messages call a row: ``row 12 ('cats/7.png') of 'photos.csv'``."""
        return f"row {self.number_N[row]} ('{self.text('path')[row].as_py()}') of '{self.origin}'"


def read_table(path: str) -> tuple[Table, tuple[str, ...]]:
    """The rows of a manifest, and the names of columns that nothing reads.

    Raises:
        DataError: it is not there, of another kind, damaged, empty, or has no paths.
    """
    kind = next((kind for suffix, kind in KINDS.items() if path.removesuffix(".gz").lower().endswith(suffix)), None)
    if kind is None:
        raise DataError(f"manifest '{path}' is none of {', '.join(KINDS)} (or one of the texts with .gz); save it so")
    try:
        with fsspec.open(path, "rb", compression="gzip" if path.endswith(".gz") else None) as stream:
            columns = _read(kind, stream)
            names = [SPELLINGS.get(name, name) for name in columns.column_names]
    except FileNotFoundError:
        raise DataError(f"there is no manifest '{path}'; give data.path a table of pictures") from None
    except (OSError, ValueError, ImportError, pa.ArrowException) as error:
        raise DataError(f"manifest '{path}' cannot be read: {' '.join(str(error).split())[:200]}") from error
    columns = columns.rename_columns(names)
    twice = sorted({name for name in columns.column_names if columns.column_names.count(name) > 1})
    if twice:
        raise DataError(f"manifest '{path}' has column '{twice[0]}' twice, perhaps by another spelling; keep one")
    if "path" not in columns.column_names:
        raise DataError(f"manifest '{path}' has no column 'path', but {_listed(columns.column_names)}")
    if not len(columns):
        raise DataError(f"manifest '{path}' has no rows; give one picture a row")
    read = [name for name in columns.column_names if name in COLUMNS or name.startswith((ATTRIBUTE, CAPTION))]
    unread = tuple(name for name in columns.column_names if name not in read)
    table = Table(origin=path, columns=columns.select(read), number_N=np.arange(1, len(columns) + 1))
    check_paths(table)
    return table, unread


def _listed(names: Sequence[str]) -> str:
    """Names of columns; of a single one that holds another delimiter than commas it is said that they are needed."""
    words = " ".join(", ".join(names).split()) or "none"
    others = [called for one, called in OTHER_DELIMITERS.items() if len(names) == 1 and one in names[0]]
    return f"{words}; separate columns by commas, not by {others[0]}" if others else words


def _read(kind: str, stream: Any) -> pa.Table:
    if kind == "parquet":
        return parquet.read_table(stream)
    if kind == "json":
        return json.read_json(stream)
    words = csv.ConvertOptions(column_types=dict.fromkeys((*COLUMNS, *SPELLINGS), pa.string()))
    return csv.read_csv(stream, convert_options=words)


def check_paths(table: Table) -> None:
    """Every row has a path, and no two have the same.

    Raises:
        DataError: it is not so; the message names the row.
    """
    paths = table.text("path").combine_chunks()
    empty = pc.equal(paths, "").to_numpy(zero_copy_only=False)
    if empty.any():
        raise DataError(f"row {table.number_N[empty.argmax()]} of '{table.origin}' has no path; give every row one")
    encoded = paths.dictionary_encode()
    if len(encoded.dictionary) < len(paths):
        count_W = np.bincount(encoded.indices.to_numpy())
        twice = np.flatnonzero(encoded.indices.to_numpy() == count_W.argmax())
        raise DataError(f"{table.called(int(twice[1]))} is row {table.number_N[twice[0]]} again; keep one of them")
