"""Recorded trials on disk: NAME.json describes the dimensions and the score, NAME.parquet holds the rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces.mistake import Mistake

if TYPE_CHECKING:
    import pandas as pd  # at run time where a table is read: most searches start from none

INACTIVE = "inactive"
"""Value, in a table, of a dimension that a candidate's condition switches off."""


class MalformedTable(Mistake):
    """A table's JSON and parquet do not fit together; the message says which part of which file."""


def read(path: Path) -> "tuple[dict[str, Any], pd.DataFrame]":
    """The description and the rows of ``NAME.json`` and the ``NAME.parquet`` beside it.

    Raises:
        MalformedTable: a file is missing or is not what its name says.
    """
    import pandas as pd

    rows = path.with_suffix(".parquet")
    for file in (path, rows):
        if not file.is_file():
            raise MalformedTable(f"{file} does not exist; a table is a NAME.json with a NAME.parquet beside it")
    description = describe(path)
    try:
        return description, pd.read_parquet(rows)
    except (OSError, ValueError) as error:  # of pyarrow, for a file that is cut off or no parquet
        raise MalformedTable(f"{rows} cannot be read as parquet: {error}") from error


def describe(path: Path) -> dict[str, Any]:
    """The description alone.

    Raises:
        MalformedTable: it is not a JSON object.
    """
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MalformedTable(f"{path} is not JSON: {error}") from error
    if not isinstance(description, dict):
        raise MalformedTable(f"{path} must hold one JSON object, it holds a {type(description).__name__}")
    return description


def sign_of(path: Path, metric: Mapping[str, Any]) -> float:
    """1 where higher values of a metric are better, -1 where lower ones are.

    Raises:
        MalformedTable: another direction.
    """
    if metric["direction"] not in ("maximize", "minimize"):
        raise MalformedTable(f"{path}: the metric's direction is '{metric['direction']}', not maximize or minimize")
    return 1.0 if metric["direction"] == "maximize" else -1.0
