"""Measures of a replay: traces and tables in, one row per (table, sampler, checkpoint, measure) out.

* ``family_regret``: mean over the budgets of (best feasible - found) / (best feasible - median feasible), in the score
  over all recorded seeds. ``found`` is the candidate with the best *seen* score (one seed) among those trained within
  the budget: the same rule for every sampler. Where nothing within a budget was trained it counts as 1, as the median.
* ``family_regret_recommended``: the same, with the candidate that the sampler itself would keep. Samplers with a
  posterior say which; for the others it is ``family_regret``.
* ``regret``: the same with one budget that allows everything, in traces of the single-objective mode.
* ``trials_to_top_1pct``, ``trials_to_top_0.1pct``: number of the first trial whose score over all seeds is within the
  table's top share. At a checkpoint of t trials this is censored: a trace that has not arrived counts as t + 1, so the
  mean is the restricted mean, a lower bound. ``..._reached`` is the share of traces that arrived, ``..._median`` the
  median over traces (infinite where fewer than half arrived).
* ``hypervolume``: area under the best score as a function of the cost, from the median to the best score of the table
  and over the ranks of the cost up to the loosest budget, as a share of the area that the whole table reaches.
* ``seconds``: mean time of a proposal so far.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from search.problem.problem import bands_of
from search.replay import tables
from search.replay.tables import Table

CHECKPOINTS = (20, 50, 100, 220)
SHARES = {"1pct": 0.01, "0.1pct": 0.001}
GRID = 1000

Floats = NDArray[np.float64]


def summarise(
    traces: pd.DataFrame, loaded: Mapping[str, Table], budgets: int, spacing: tables.Spacing = "quantile"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The summary (mean and standard error over seeds) and the measures of each trace."""
    rows = []
    for (table, sampler, mode, seed), trace in traces.groupby(["table", "sampler", "mode", "seed"], sort=False):
        measure = _family_measures if mode == "family" else _single_measures
        ordered = trace.sort_values("trial")
        for trials in sorted({t for t in CHECKPOINTS if t <= len(ordered)} | {len(ordered)}):
            for name, value in measure(ordered.head(trials), loaded[str(table)], budgets, spacing).items():
                rows.append((table, sampler, seed, trials, name, value))
    per_seed = pd.DataFrame(rows, columns=["table", "sampler", "seed", "trials", "measure", "value"])
    grouped = per_seed.groupby(["table", "sampler", "trials", "measure"], sort=False)["value"]
    summary = grouped.agg(mean="mean", stderr="sem", seeds="count").reset_index()
    arrivals = per_seed[per_seed.measure.str.startswith("trials_to_top") & ~per_seed.measure.str.endswith("reached")]
    medians = arrivals.groupby(["table", "sampler", "trials", "measure"], sort=False)["value"].agg(["median", "count"])
    medians = medians.reset_index()
    medians["median"] = medians["median"].where(medians["median"] <= medians["trials"], np.inf)
    medians["measure"] += "_median"
    medians = medians.rename(columns={"median": "mean", "count": "seeds"}).assign(stderr=np.nan)
    return pd.concat([summary, medians])[list(summary.columns)].reset_index(drop=True), per_seed


def _family_measures(trace: pd.DataFrame, table: Table, budgets: int, spacing: tables.Spacing) -> dict[str, float]:
    """Regret of the family, of each budget (``regret_1`` is the tightest) and how many trials its band was given."""
    problem = tables.problem(table, budgets, spacing=spacing)
    fits_KN = np.stack([budget.allow(table.costs) for budget in problem.budgets])
    rows, score = trace["row"].to_numpy(), trace["score"].to_numpy()
    picks = [_best_seen(rows, score, fits_N) for fits_N in fits_KN]
    regret_K = _regrets(table, fits_KN, picks)
    observed = float(np.mean(regret_K))
    advice = trace["advice"].iloc[-1]
    recommended = observed if advice is None else _regret(table, fits_KN, [int(row) for row in advice])
    band_N = bands_of(fits_KN[:, rows])
    measures = {
        "family_regret": observed,
        "hypervolume": _hypervolume(table, rows, fits_KN[-1]),
        "seconds": float(trace["seconds"].mean()),
        **{f"regret_{k}": regret for k, regret in enumerate(regret_K, start=1)},
        **{f"trials_in_band_{k}": float((band_N == k - 1).sum()) for k in range(1, len(regret_K) + 1)},
    }
    if advice is not None or len(trace) in CHECKPOINTS:
        measures["family_regret_recommended"] = recommended
    return measures


def _best_seen(rows: NDArray[np.int64], score: Floats, fits_N: NDArray[np.bool_]) -> int:
    inside = np.flatnonzero(fits_N[rows])
    return int(rows[inside[np.argmax(score[inside])]]) if inside.size else -1


def _regret(table: Table, fits_KN: NDArray[np.bool_], picks: list[int]) -> float:
    return float(np.mean(_regrets(table, fits_KN, picks)))


def _regrets(table: Table, fits_KN: NDArray[np.bool_], picks: list[int]) -> list[float]:
    """Distance of each pick from the best within its budget, as a share of the median's distance."""
    regrets = []
    for fits_N, pick in zip(fits_KN, picks, strict=True):
        inside = table.truth_N[fits_N]
        best, median = float(inside.max()), float(np.median(inside))
        regrets.append(1.0 if pick < 0 else (best - float(table.truth_N[pick])) / max(best - median, 1e-12))
    return regrets


def _single_measures(trace: pd.DataFrame, table: Table, budgets: int, spacing: tables.Spacing) -> dict[str, float]:
    everything_KN = np.ones((1, len(table.truth_N)), dtype=bool)
    rows = trace["row"].to_numpy()
    pick = _best_seen(rows, trace["score"].to_numpy(), everything_KN[0])
    measures = {"regret": _regret(table, everything_KN, [pick])}
    for name, share in SHARES.items():
        hits = np.flatnonzero(table.truth_N[rows] >= np.quantile(table.truth_N, 1.0 - share))
        measures[f"trials_to_top_{name}"] = float(hits[0] + 1 if hits.size else len(rows) + 1)
        measures[f"trials_to_top_{name}_reached"] = float(hits.size > 0)
    return measures


def _hypervolume(table: Table, rows: NDArray[np.int64], feasible_N: NDArray[np.bool_]) -> float:
    return _area(table, rows, feasible_N) / _area(table, np.flatnonzero(feasible_N), feasible_N)


def _area(table: Table, rows: NDArray[np.int64], feasible_N: NDArray[np.bool_]) -> float:
    """Mean over the cost ranks of the feasible candidates of the best score within that cost, from the median up."""
    cost_N, inside = table.costs[table.cost], table.truth_N[feasible_N]
    best, median = float(inside.max()), float(np.median(inside))
    grid = np.quantile(cost_N[feasible_N], np.linspace(0, 1, GRID))
    order = rows[np.argsort(cost_N[rows], kind="stable")]
    running = np.maximum.accumulate(table.truth_N[order])
    place = np.searchsorted(cost_N[order], grid, side="right") - 1
    reached = np.where(place >= 0, running[np.maximum(place, 0)], median)
    return float(np.clip((reached - median) / max(best - median, 1e-12), 0.0, None).mean())


def paired_differences(per_seed: pd.DataFrame) -> str:
    """Each sampler against the best other one at each checkpoint: paired difference, its standard error, Wilcoxon p."""
    lines = [
        "measure table trials | sampler mean | best other mean | difference (standard error) | p (paired Wilcoxon)"
    ]
    chosen = per_seed[per_seed.measure.isin(["family_regret", "regret"])]
    for key, group in chosen.groupby(["measure", "table", "trials"], sort=False):
        measure, table, trials = (str(part) for part in key)
        wide = group.pivot(index="seed", columns="sampler", values="value").dropna()
        for sampler in map(str, wide.columns):
            others = wide.drop(columns=sampler)
            if others.empty or len(others.columns) == 0:
                continue
            rival = str(others.mean().idxmin())
            gap = (wide[sampler] - wide[rival]).to_numpy(dtype=np.float64)
            tested = len(gap) > 1 and bool(np.any(gap))
            p = f"{stats.wilcoxon(gap).pvalue:.3f}" if tested else "not tested"
            error = f"{float(stats.sem(gap)):.4f}" if len(gap) > 1 else "one seed"
            means = f"{sampler} {float(wide[sampler].mean()):.4f} | {rival} {float(wide[rival].mean()):.4f}"
            lines.append(f"{measure} {table} {trials} | {means} | {gap.mean():+.4f} ({error}) | {p}")
    return "\n".join(lines)
