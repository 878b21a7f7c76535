"""Recorded trials as arrays, and the searches that are played on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search.learning import recorded
from search.learning.recorded import MalformedTable
from search.problem.limits import Limits
from search.problem.problem import Problem
from spaces.candidate import ROLES
from spaces.codes import row_keys
from spaces.dimensions import Choice
from spaces.mistake import Mistake
from spaces.space import Codes, Space

MILLIONS = "_millions"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Recorded trials as arrays. Higher scores are better, whatever the file's direction is.

    Attributes:
        name: the table's name.
        space: one Choice per dimension, ordered where the table says ordinal; positions are levels.
        codes_ND: the candidates that were recorded, each once.
        truth_N: score over all seeds, as the table's metric column states it.
        scores_NS: one column per recorded seed, NaN where one is missing; the metric itself where there are no seeds.
        costs: exact costs by name (``macs``, ``params``), in units, shape (N,).
        measured: costs that had to be measured (latency, training time), by column, NaN where missing.
        statistics_NK: free statistics: the logarithms of the costs.
        statistic_names: name of each column of ``statistics_NK``.
        complete: whether every member of the space is recorded.
    """

    name: str
    space: Space
    codes_ND: Codes
    truth_N: NDArray[np.float64]
    scores_NS: NDArray[np.float64]
    costs: Mapping[str, NDArray[np.float64]]
    measured: Mapping[str, NDArray[np.float64]]
    statistics_NK: NDArray[np.float64]
    statistic_names: tuple[str, ...]
    complete: bool

    @cached_property
    def _sorted_keys(self) -> tuple[NDArray[Any], NDArray[np.intp]]:
        key_N = row_keys(self.codes_ND)
        order_N = np.argsort(key_N)
        return key_N[order_N], order_N

    def find(self, codes_MD: Codes) -> NDArray[np.intp]:
        """Row of each candidate, shape (M,); -1 where it is not recorded."""
        key_N, order_N = self._sorted_keys
        key_M = row_keys(codes_MD)
        place_M = np.minimum(np.searchsorted(key_N, key_M), len(key_N) - 1)
        return np.where(key_N[place_M] == key_M, order_N[place_M], -1)

    def row_of(self, codes_MD: Codes) -> NDArray[np.intp]:
        """Row of each candidate, shape (M,).

        Raises:
            ValueError: a candidate that the table does not hold.
        """
        row_M = self.find(codes_MD)
        if (row_M < 0).any():
            missing = codes_MD[np.argmin(row_M)].tolist()
            raise ValueError(f"table '{self.name}' has no row with the codes {missing}")
        return row_M

    def one_seed(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """One recorded seed of each candidate at random, (N,): what a search that trains once sees."""
        rank_NS = np.where(np.isfinite(self.scores_NS), rng.random(self.scores_NS.shape), -1.0)
        score_N: NDArray[np.float64] = self.scores_NS[np.arange(len(rank_NS)), np.argmax(rank_NS, axis=1)]
        return score_N

    @property
    def cost(self) -> str:
        """Name of the cost that budgets are drawn from: ``macs``, or ``params`` where there are no macs."""
        return "macs" if "macs" in self.costs else "params"


# reading -------------------------------------------------------------------------------------------------------------


def load(path: Path | str) -> Table:
    """Read ``NAME.json`` and the ``NAME.parquet`` beside it.

    Raises:
        MalformedTable: a file is missing, a field or a column is missing, or a value is not among the listed ones.
    """
    path = Path(path)
    description, frame = recorded.read(path)
    try:
        return _table(path, description, frame)
    except KeyError as error:
        raise MalformedTable(f"{path}: the field or column {error} is missing") from error


def _table(path: Path, description: Mapping[str, Any], frame: pd.DataFrame) -> Table:
    dimensions = [_dimension(path, entry) for entry in description["dimensions"]]
    dimensions.sort(key=lambda named: ROLES.index(named[0].partition(".")[0]))
    space = Space(name=description["name"], backbone="recorded", **_by_role(dimensions))
    codes_ND = np.stack([_codes(path, frame, address, choice) for address, choice in dimensions], axis=1)
    scored_N, scores_NS, truth_N = _scores(path, description["metric"], frame)
    if len(np.unique(row_keys(codes_ND))) < len(codes_ND):
        raise MalformedTable(f"{path}: some candidates have more than one row; average them over their rows first")
    costs = dict(_cost(path, frame, name) for name in description["statistics"])
    if not {"macs", "params"} & set(costs):
        raise MalformedTable(
            f"{path}: 'statistics' names {sorted(costs)}; it needs macs or params (or _millions of them)"
        )
    logs_NL = np.log(np.stack(list(costs.values()), axis=1))
    return Table(
        name=description["name"],
        space=space,
        codes_ND=codes_ND[scored_N],
        truth_N=truth_N[scored_N],
        scores_NS=scores_NS[scored_N],
        costs={name: cost_N[scored_N] for name, cost_N in costs.items()},
        measured={
            name: frame[name].to_numpy(dtype=np.float64, na_value=np.nan)[scored_N]
            for name in description.get("measured_costs", [])
        },
        statistics_NK=logs_NL[scored_N],
        statistic_names=tuple(f"log_{name}" for name in costs),
        complete=bool(scored_N.sum() == space.count()),
    )


def _dimension(path: Path, entry: Mapping[str, Any]) -> tuple[str, Choice]:
    role, kind = entry["role"], entry["type"]
    if role not in ROLES or kind not in ("categorical", "ordinal"):
        raise MalformedTable(
            f"{path}: dimension '{entry['name']}' has role '{role}' and type '{kind}'; "
            f"roles are {', '.join(ROLES)}; types are categorical and ordinal"
        )
    return f"{role}.{entry['name']}", Choice(values=tuple(entry["values"]), ordered=kind == "ordinal")


def _by_role(dimensions: Sequence[tuple[str, Choice]]) -> dict[str, Any]:
    return {
        role: {address.partition(".")[2]: choice for address, choice in dimensions if address.startswith(f"{role}.")}
        for role in ROLES
    }


def _codes(path: Path, frame: pd.DataFrame, address: str, choice: Choice) -> NDArray[np.int16]:
    column = frame[address.partition(".")[2]]
    code_of = {value: code for code, value in enumerate(choice.values)}
    code_N = column.map(code_of).to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(code_N).any():
        stray = column[np.isnan(code_N)].iloc[0]
        raise MalformedTable(f"{path}: '{column.name}' is {stray} in a row; the listed values are {choice.values}")
    return code_N.astype(np.int16)


def _scores(
    path: Path, metric: Mapping[str, Any], frame: pd.DataFrame
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Which rows have a finite score, the single seeds (N, S), and the score over seeds (N,), higher is better."""
    sign = recorded.sign_of(path, metric)
    columns = metric.get("seed_columns") or [metric["column"]]
    truth_N = sign * frame[metric["column"]].to_numpy(dtype=np.float64, na_value=np.nan)
    scores_NS = sign * frame[columns].to_numpy(dtype=np.float64, na_value=np.nan)
    scores_NS[~np.isfinite(scores_NS)] = np.nan
    scored_N = np.isfinite(truth_N) & np.isfinite(scores_NS).any(axis=1)
    if not scored_N.any():
        raise MalformedTable(f"{path}: no row has a finite score in '{metric['column']}' and {columns}")
    return scored_N, scores_NS, truth_N


def _cost(path: Path, frame: pd.DataFrame, column: str) -> tuple[str, NDArray[np.float64]]:
    cost_N = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    if not (np.isfinite(cost_N) & (cost_N > 0)).all():
        raise MalformedTable(f"{path}: the statistic '{column}' must be positive and finite in every row")
    if column.endswith(MILLIONS):
        return column.removesuffix(MILLIONS), cost_N * 1e6
    return column, cost_N


# problems ------------------------------------------------------------------------------------------------------------


Spacing = Literal["quantile", "log"]


def problem(
    table: Table, budgets: int = 10, quantiles: Sequence[float] | None = None, spacing: Spacing = "quantile"
) -> Problem:
    """The search for a family on a table: limits on the table's own macs (params where there are no macs).

    Args:
        table: the recorded trials.
        budgets: number of budgets.
        quantiles: the quantiles of the cost at which they lie, in place of ``budgets``.
        spacing: of the budgets: ``quantile``, evenly from the 5 % to the 95 % quantile; ``log``, evenly in the
            logarithm of the cost from the 0.5 % to the 95 % quantile, as users choose them.

    Raises:
        Mistake: fewer than one budget, or a quantile outside (0, 1].
    """
    levels = np.linspace(0.05, 0.95, budgets) if quantiles is None else np.asarray(quantiles, dtype=float)
    if levels.size == 0 or ((levels <= 0) | (levels > 1)).any():
        raise Mistake(f"a family needs at least one budget at quantiles in (0, 1], given {levels.tolist()}")
    bounds = np.quantile(table.costs[table.cost], np.sort(levels))
    if spacing == "log" and quantiles is None:
        low, high = np.quantile(table.costs[table.cost], [0.005, 0.95])
        bounds = np.geomspace(low, high, budgets)
    limits = tuple(Limits(**{f"max_{table.cost}": float(bound)}) for bound in bounds)
    return _problem(table, limits[-1], limits)


def unlimited(table: Table) -> Problem:
    """The single-objective search on a table: the best candidate, whatever it costs."""
    return _problem(table, Limits(), (Limits(),))


def counting(problem: Problem, table: Table, other: Table) -> Problem:
    """The problem of a table, with costs and statistics of another table's candidates, from which a sampler may start.

    Raises:
        Mistake: the tables do not count the same costs.
    """
    if set(table.costs) != set(other.costs) or table.statistic_names != other.statistic_names:
        raise Mistake(f"'{other.name}' counts {sorted(other.costs)}, '{table.name}' counts {sorted(table.costs)}")
    more = table.find(other.codes_ND) < 0
    both = replace(
        table,
        codes_ND=np.concatenate([table.codes_ND, other.codes_ND[more]]),
        costs={name: np.concatenate([cost_N, other.costs[name][more]]) for name, cost_N in table.costs.items()},
        statistics_NK=np.concatenate([table.statistics_NK, other.statistics_NK[more]]),
    )
    return replace(_problem(both, problem.limits, problem.budgets), pool=problem.pool)


def _problem(table: Table, limits: Limits, budgets: tuple[Limits, ...]) -> Problem:
    def costs(codes_MD: Codes) -> dict[str, NDArray[np.float64]]:
        row_M = table.row_of(codes_MD)
        return {name: cost_N[row_M] for name, cost_N in table.costs.items()}

    return Problem(
        space=table.space,
        costs=costs,
        statistics=lambda codes_MD: table.statistics_NK[table.row_of(codes_MD)],
        limits=limits,
        budgets=budgets,
        pool=None if table.complete else table.codes_ND,
        logarithms={name: column for column, name in enumerate(table.costs)},
    )
