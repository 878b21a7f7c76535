"""What mattered: a forest on the finished trials, read by permutation and by crossing architectures with recipes.

Figures describe this run's trials, which the search did not draw evenly; they are not a law of the space.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from spaces.candidate import ROLES

FEWEST_TRIALS = 20
"""Below this many scored trials, a forest says nothing."""

RESAMPLES, TREES_AGAIN = 40, 15
"""Forests on trials drawn anew, for intervals, and their trees."""

MOST_TRIALS = 400
"""Of more, an even selection is read: more would take minutes and change nothing that is shown."""

TREES, FOLDS, REPEATS = 100, 5, 5


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much a held-out prediction suffers when the values of one dimension are shuffled.

    Attributes:
        table: ``address``, ``mean`` of the drop in R² over folds and shuffles, ``low`` and ``high`` of its interval;
            largest first. The intervals hold for all dimensions together at 95 %.
        r2: R² of the predictions on held-out trials; near or below zero, the table means nothing.
    """

    table: pd.DataFrame
    r2: float

    @property
    def shown(self) -> pd.DataFrame:
        """The rows whose interval lies above 0."""
        return self.table[self.table["low"] > 0]


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """How far the best architecture depends on the recipe, by a forest that predicts every pair of the run's own.

    Attributes:
        architecture: share of the variance of the predicted scores that the architecture alone explains.
        recipe: the recipe's share.
        both: the rest: what only the pair explains.
        flips: of two architectures under two recipes, how often the better one under the first is the worse under the
            second.
        both_interval, flips_interval: from forests on trials drawn anew with replacement (95 %); None if not drawn.
    """

    architecture: float
    recipe: float
    both: float
    flips: float
    both_interval: tuple[float, float] | None = None
    flips_interval: tuple[float, float] | None = None


def scored(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials with a score."""
    return trials[trials["score"].notna()]


def addresses(trials: pd.DataFrame, role: str | None = None) -> list[str]:
    """Columns of the dimensions of ``role``, or of every role, that take more than one value."""
    prefixes = tuple(f"{name}." for name in (ROLES if role is None else (role,)))
    return [name for name in trials.columns if name.startswith(prefixes) and trials[name].nunique(dropna=False) > 1]


def training_addresses(trials: pd.DataFrame) -> list[str]:
    """Like ``addresses``, of all that is not architecture: the recipe, and pretraining and adaptation if searched."""
    return [name for name in addresses(trials) if not name.startswith("architecture.")]


def encode(trials: pd.DataFrame, names: Sequence[str]) -> tuple[NDArray[np.float64], dict[str, NDArray[np.intp]]]:
    """Columns for a forest, and which of them belong to each address; an inactive dimension has a level of its own."""
    blocks: list[NDArray[np.float64]] = []
    groups: dict[str, NDArray[np.intp]] = {}
    width = 0
    for name in names:
        block = _block(trials[name])
        groups[name] = np.arange(width, width + block.shape[1])
        width += block.shape[1]
        blocks.append(block)
    return np.concatenate(blocks, axis=1), groups


def _block(column: pd.Series) -> NDArray[np.float64]:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=float)
        return np.where(np.isnan(values), np.nanmin(values) - 1.0, values)[:, None]
    return pd.get_dummies(column.astype("string").fillna("inactive")).to_numpy(dtype=float)


def _forest(seed: int, trees: int = TREES) -> RandomForestRegressor:
    return RandomForestRegressor(n_estimators=trees, min_samples_leaf=2, max_features=0.5, random_state=seed)


def importance(trials: pd.DataFrame, seed: int = 0) -> Importance | None:
    """Permutation importance on held-out trials (Breiman, 2001, section 10); None with too few trials."""
    rows = _some(scored(trials))
    names = addresses(rows)
    if len(rows) < FEWEST_TRIALS or not names:
        return None
    x_NF, groups = encode(rows, names)
    score_N = rows["score"].to_numpy(dtype=float)
    rng = np.random.default_rng(seed)
    drops: list[NDArray[np.float64]] = []
    predicted_N = np.empty_like(score_N)
    for fit, held in KFold(FOLDS, shuffle=True, random_state=seed).split(x_NF):
        forest = _forest(seed).fit(x_NF[fit], score_N[fit])
        predicted_N[held] = forest.predict(x_NF[held])
        shuffled = forest.predict(_shuffled(x_NF[held], list(groups.values()), rng)).reshape(len(names), REPEATS, -1)
        error = (score_N[held] - predicted_N[held]) ** 2
        drops.append(((score_N[held] - shuffled) ** 2 - error).mean(axis=2) / score_N.var())
    all_drops = np.concatenate(drops, axis=1)
    mean, half = all_drops.mean(axis=1), _half_width(all_drops)
    table = pd.DataFrame({"address": names, "mean": mean, "low": mean - half, "high": mean + half})
    table = table.sort_values("mean", ascending=False, ignore_index=True)
    return Importance(table=table, r2=float(r2_score(score_N, predicted_N)))


def _some(rows: pd.DataFrame) -> pd.DataFrame:
    """An even selection, as many as a forest needs."""
    if len(rows) <= MOST_TRIALS:
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, MOST_TRIALS).round().astype(int)]


def _half_width(drop_DR: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the interval of each row's mean over R folds and shuffles, with Bonferroni's correction for D rows.

    Folds share most of their trials, so the variance of a mean is corrected as Nadeau and Bengio (2003, eq. 8) do.
    """
    rows, repeats = drop_DR.shape
    variance_D = drop_DR.var(axis=1, ddof=1) * (1 / repeats + 1 / (FOLDS - 1))
    half_D: NDArray[np.float64] = t.ppf(1 - 0.025 / rows, repeats - 1) * np.sqrt(variance_D)
    return half_D


def _shuffled(
    x_NF: NDArray[np.float64], groups: Sequence[NDArray[np.intp]], rng: np.random.Generator
) -> NDArray[np.float64]:
    """For each group and repeat a copy of the rows with that group's columns shuffled together, one below the other."""
    copies = np.tile(x_NF, (len(groups) * REPEATS, 1, 1))
    for position in range(len(copies)):
        columns = groups[position // REPEATS]
        copies[position][:, columns] = x_NF[rng.permutation(len(x_NF))][:, columns]
    return copies.reshape(-1, x_NF.shape[1])


def interaction(trials: pd.DataFrame, seed: int = 0, most: int = 48) -> Interaction | None:
    """Cross up to ``most`` architectures with as many recipes of the run; None with too few trials."""
    rows = _some(scored(trials))
    architecture, training = addresses(rows, "architecture"), training_addresses(rows)
    if len(rows) < FEWEST_TRIALS or not architecture or not training:
        return None
    x_NF, groups = encode(rows, [*architecture, *training])
    score_N = rows["score"].to_numpy(dtype=float)
    rng = np.random.default_rng(seed)
    size = min(most, len(rows))
    chosen_A, chosen_R = (rng.choice(len(rows), size, replace=False) for _ in range(2))
    crossed_ARF = np.tile(x_NF[chosen_A][:, None], (1, size, 1))
    recipe_columns = np.concatenate([groups[name] for name in training])
    crossed_ARF[:, :, recipe_columns] = x_NF[chosen_R][None][:, :, recipe_columns]

    def shares(chosen_N: NDArray[np.intp], trees: int) -> Interaction:
        forest = _forest(seed, trees).fit(x_NF[chosen_N], score_N[chosen_N])
        return decompose(forest.predict(crossed_ARF.reshape(size * size, -1)).reshape(size, size), rng)

    again = [shares(rng.integers(len(rows), size=len(rows)), TREES_AGAIN) for _ in range(RESAMPLES)]
    all_trials = shares(np.arange(len(rows)), TREES)
    return replace(
        all_trials,
        both_interval=_around(all_trials.both, [one.both for one in again]),
        flips_interval=_around(all_trials.flips, [one.flips for one in again]),
    )


def _around(share: float, again: Sequence[float]) -> tuple[float, float]:
    """The central 95 % of shares found again, moved so that their mean is the share of all trials.

    Smaller forests on trials of which some stand twice see more that is the pair's alone, whatever is true.
    """
    low, high = np.clip(share - np.mean(again) + np.quantile(again, (0.025, 0.975)), 0.0, 1.0)
    return float(low), float(high)


def decompose(score_AR: NDArray[np.float64], rng: np.random.Generator, pairs: int = 20_000) -> Interaction:
    """Two-way analysis of variance of a full table without repeats, and the share of ranking flips."""
    row_A = score_AR.mean(axis=1) - score_AR.mean()
    column_R = score_AR.mean(axis=0) - score_AR.mean()
    total = float(score_AR.var()) or 1.0
    architecture, recipe = float(row_A.var()) / total, float(column_R.var()) / total
    one_A, other_A = rng.integers(score_AR.shape[0], size=(2, pairs))
    one_R, other_R = rng.integers(score_AR.shape[1], size=(2, pairs))
    first = np.sign(score_AR[one_A, one_R] - score_AR[other_A, one_R])
    second = np.sign(score_AR[one_A, other_R] - score_AR[other_A, other_R])
    told_apart = (first != 0) & (second != 0) & (one_R != other_R)
    flips = float((first != second)[told_apart].mean()) if told_apart.any() else 0.0
    return Interaction(
        architecture=architecture, recipe=recipe, both=max(0.0, 1.0 - architecture - recipe), flips=flips
    )


def joint_effect(trials: pd.DataFrame, architecture: str, recipe: str, levels: int = 7) -> pd.DataFrame:
    """Mean score by an architecture dimension (rows) and a recipe dimension (columns); NaN where no trial is."""
    rows = scored(trials)
    binned = {name: _bins(rows[name], levels) for name in (architecture, recipe)}
    return rows["score"].groupby([binned[architecture], binned[recipe]], observed=True).mean().unstack()


def _bins(column: pd.Series, levels: int) -> pd.Series:
    """Its values, or quantile ranges of them if there are more than ``levels``; inactive values drop out."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not numeric or column.nunique() <= levels:
        return column
    edges = np.unique(np.nanquantile(column, np.linspace(0, 1, levels + 1)))
    labels = [f"{low:.2g} to {high:.2g}" for low, high in itertools.pairwise(edges)]
    bins: pd.Series = pd.cut(column, edges.tolist(), labels=labels, include_lowest=True)
    return bins
