"""What an earlier search or a recorded table tells a new search: candidates by address and value, with their scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from search.learning import recorded
from search.problem.problem import Observations
from spaces.dimensions import Value, is_ordinal
from spaces.mistake import Mistake
from spaces.space import INACTIVE, Codes, Space
from spaces.translation import translate

if TYPE_CHECKING:
    import pandas as pd

ON_SCALE = 2
"""Values of a scale that a table must know to say something of those between and beyond."""
FEWEST = 2
"""Candidates that must fit the new space: a predictor needs two scores to tell candidates apart."""


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What one earlier run or one recorded table contributes.

    Attributes:
        source: the run's folder, as it was given, or the table's name.
        trials: how many of its trials have a score.
        params: values by full address of the new space, one mapping for each candidate that fits it.
        scores: mean score of each of them, higher is better.
        kind: whether it is a run that the user named or a recorded table.
    """

    source: str
    trials: int
    params: tuple[Mapping[str, Value], ...]
    scores: tuple[float, ...]
    kind: Literal["run", "table"] = "run"

    @property
    def sentence(self) -> str:
        """What the console says of it."""
        if self.kind == "table":
            return f"prior: {len(self.params)} of {self.trials} recorded candidates of '{self.source}' fit this space"
        count = f"{len(self.params)} different candidates of {self.trials} trials of {self.source}"
        return f"warm start: {count} fit this space"

    def observations(self, space: Space) -> Observations:
        """The candidates as codes of the space."""
        rows = [translate(space, params) for params in self.params]
        return Observations(
            codes_ND=np.array([row for row in rows if row is not None], dtype=np.int16), score_N=np.array(self.scores)
        )


def params_of(space: Space, codes_D: Codes) -> dict[str, Value]:
    """Values by full address of the active dimensions of one candidate, codes of shape (D,)."""
    columns = zip(space.addresses, space.dimensions, codes_D.tolist(), strict=True)
    return {address: dimension.values[code] for address, dimension, code in columns if code != INACTIVE}


# recorded tables -----------------------------------------------------------------------------------------------------


def shipped(space: str) -> list[Path]:
    """The recorded tables of a space that come with the program (``spaces/priors``), by name."""
    folder = Path(str(files("spaces") / "priors"))
    return [path for path in sorted(folder.glob("*.json")) if recorded.describe(path).get("space") == space]


def misfits(path: Path, space: Space) -> str:
    """Why a table does not hold a space, as the end of a sentence; empty where it does.

    It does where both choose the same things and every value of the space is among the table's, or lies on a scale of
    which the table knows two values; the space may allow less, as a restricted one does.
    """
    listed = values_of(recorded.describe(path))
    reason = strangers(listed, space)
    if reason:
        return reason
    for address, dimension in zip(space.addresses, space.dimensions, strict=True):
        known = {str(value) for value in listed.get(address, dimension.values)}
        new = [value for value in dimension.values if str(value) not in known]
        is_on_scale = is_ordinal(dimension) and len(dimension.values) - len(new) >= ON_SCALE
        if new and not is_on_scale:
            return f"it does not know {address} {new[0]!r}"
    return ""


def of_table(path: Path, space: Space) -> Earlier:
    """The candidates of a recorded table that fit a space.

    Raises:
        MalformedTable: the table cannot be read.
        Mistake: it was recorded on another space or another version of it, or fewer than two of its candidates fit.
    """
    description, frame = recorded.read(path)
    try:
        listed = values_of(description)
        reason = strangers(listed, space)
        if reason:
            raise Mistake(
                f"the table '{path}' was recorded on another space than '{space.name}', or another version of it: "
                f"{reason}; choose another table for search.prior, or 'none'"
            )
        return _fitting(path, description, frame, space)
    except KeyError as error:
        raise recorded.MalformedTable(f"{path}: the field or column {error} is missing") from error


def _fitting(path: Path, description: Mapping[str, Any], frame: "pd.DataFrame", space: Space) -> Earlier:
    metric = description["metric"]
    score_N = recorded.sign_of(path, metric) * frame[metric["column"]].to_numpy(dtype=np.float64, na_value=np.nan)
    scored_N = np.isfinite(score_N)
    rows = list(_rows(description, frame[scored_N], space))
    pairs = [
        (params_of(space, codes_D), float(score))
        for codes_D, score in zip(rows, score_N[scored_N], strict=True)
        if codes_D is not None
    ]
    if len(pairs) < FEWEST:
        raise Mistake(
            f"the table '{path}' has {len(rows)} candidates with a score, {len(pairs)} of which fit space "
            f"'{space.name}' as the configuration restricts it; a prior needs at least {FEWEST}: choose another table "
            "for search.prior, or 'none'"
        )
    return Earlier(
        source=path.stem,
        trials=len(rows),
        params=tuple(params for params, _ in pairs),
        scores=tuple(score for _, score in pairs),
        kind="table",
    )


def _rows(description: Mapping[str, Any], frame: "pd.DataFrame", space: Space) -> Iterator[Codes | None]:
    """Each row as codes of the space, None where it does not fit."""
    fixed = description.get("fixed", {})
    columns = {address: frame[name].tolist() for name, address in _addresses(description)}
    meanings = {
        address: {str(value): value for value in space.dimension(address).values}
        for address in columns
        if address in space.addresses
    }
    for cells in zip(*columns.values(), strict=True):
        active = {address: cell for address, cell in zip(columns, cells, strict=True) if cell != recorded.INACTIVE}
        known = {a: meanings[a].get(str(cell), cell) for a, cell in active.items() if a in meanings}
        yield translate(space, {**fixed, **known}) if len(known) == len(active) else None


def _addresses(description: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and full address of each dimension of a table."""
    for entry in description["dimensions"]:
        name, role = entry["name"], entry["role"]
        yield name, name if name.startswith(f"{role}.") else f"{role}.{name}"


def values_of(description: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """What each dimension of a table may be, by full address."""
    values = {entry["name"]: entry["values"] for entry in description["dimensions"]}
    listed: dict[str, Sequence[Any]] = {address: values[name] for name, address in _addresses(description)}
    return listed | {address: [value] for address, value in description.get("fixed", {}).items()}


def strangers(listed: Mapping[str, Sequence[Any]], space: Space) -> str:
    """A dimension that only one of a table and a space has, as the end of a sentence; empty where there is none."""
    # what can be switched off, a restriction of what it hangs on may have taken away
    unknown = [a for a, values in listed.items() if a not in space.addresses and recorded.INACTIVE not in values]
    if unknown:
        return f"the space has no '{unknown[0]}'"
    free = [a for a, d in zip(space.addresses, space.dimensions, strict=True) if len(d.values) > 1 and a not in listed]
    return f"the table has no '{free[0]}'" if free else ""
