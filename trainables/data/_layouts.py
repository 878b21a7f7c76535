"""The rows of a layout as a table, which is read as every manifest is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from spaces import components
from trainables.data._caption_files import OWN
from trainables.data._table import CAPTION, Table, check_paths
from trainables.data.layouts import Row
from trainables.splits import DataError

TABLE = "table"
"""The layout of a table that lists its pictures."""
TEXTS = ("label", "split", "licence", "attribution", "group", "slice", "origin", "level")
LISTS = ("box", "pose", "flags")


def read_layout(path: str, name: str) -> tuple[Table, Sequence[str]]:
    """The rows of a folder that a publisher has laid out, and the rules that they must keep.

    Raises:
        DataError: no such layout or folder, no picture in it, or files that the layout cannot read.
    """
    known = components.names(components.LAYOUTS)
    if name not in known:
        raise DataError(f"data.layout is '{name}'; it can be {TABLE}, {', '.join(known)}")
    layout = components.load(components.LAYOUTS, name)
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"data.path '{path}' is not a folder; layout '{name}' reads {layout.READS}")
    rows: list[Row] = list(layout.rows(root))
    if not rows:
        raise DataError(f"layout '{name}' finds no picture below '{path}'; it reads {layout.READS}")
    table = Table(origin=path, columns=pa.table(_columns(rows)), number_N=np.arange(1, len(rows) + 1))
    check_paths(table)
    return table, layout.RULES


def _columns(rows: Sequence[Row]) -> Mapping[str, pa.Array]:
    """Those that a row fills, and the paths."""
    columns: dict[str, pa.Array] = {"path": pa.array([row.path for row in rows], pa.string())}

    def add(name: str, values: Sequence[Any], kind: pa.DataType) -> None:
        if any(values):
            columns[name] = pa.array(values, kind)

    for name in TEXTS:
        add(name, [getattr(row, name) for row in rows], pa.string())
    for name in LISTS:
        kind = pa.string() if name == "flags" else pa.float64()
        add(name, [list(getattr(row, name)) for row in rows], pa.list_(kind))
    if any(row.frame >= 0 for row in rows):
        columns["frame"] = pa.array([row.frame for row in rows], pa.int64())
    for language in sorted({language for row in rows for language in row.captions}):
        name = CAPTION if language == OWN else f"{CAPTION}.{language}"
        add(name, [list(row.captions.get(language, ())) for row in rows], pa.list_(pa.string()))
    return columns
