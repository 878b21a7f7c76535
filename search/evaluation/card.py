"""One report card of networks by all that evaluations said of them (Goldblum et al. 2023): z-scores, and ranks.

Each figure of all images is turned so that high is better and becomes a z-score over the networks (by the population's
deviation); a network's score in an evaluation is the mean over its figures, and over all the mean over evaluations, so
that an evaluation of many figures does not count for more. Ranks have intervals: all figures are drawn anew from their
own intervals, as if those were normal and independent. The figures of two networks rest on the same images, so that
these intervals are wider than need be.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spaces import components

DRAWS = 2000
CONFIDENCE = 0.95
WIDTH = 2 * 1.959964
"""Standard deviations between the ends of an interval of 95 %."""
OVERALL, RANK, MISSING = "all", "rank", "missing"
OTHERS = ("network", OVERALL, RANK, "rank_low", "rank_high", MISSING)
"""Columns of a card that are no evaluation."""
Arrays = NDArray[np.float64]


def report_card(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """A row a network, the best first: a z-score an evaluation, that of all, and the rank with its interval.

    Args:
        table: ``network``, ``evaluation``, ``metric``, ``part``, ``value``, ``low``, ``high``, as
            ``search.evaluation.results`` reads them.
        seed: of the draws.

    Returns:
        ``network``, the evaluations, ``all``, ``rank``, ``rank_low``, ``rank_high``, and ``missing``: evaluations of
        which a network has no figure, which are left out of its mean. No row where fewer than two networks have been
        judged by a figure in common.
    """
    figures = _figures(table)
    networks = list(dict.fromkeys(table["network"])) if len(table) else []
    value_NM, std_NM, tasks = _arrays(figures, networks)
    keep_M = np.isfinite(value_NM).sum(0) >= 2 if value_NM.size else np.zeros(0, dtype=bool)
    if not keep_M.any():
        return pd.DataFrame(columns=["network", OVERALL, RANK, "rank_low", "rank_high", MISSING])
    value_NM, std_NM = value_NM[:, keep_M], std_NM[:, keep_M]
    tasks = [task for task, keep in zip(tasks, keep_M, strict=True) if keep]
    score_NT = scores(value_NM, tasks)
    overall_N = np.nanmean(score_NT, axis=1)
    low_N, high_N = _ranks(value_NM, std_NM, tasks, seed)
    names = list(dict.fromkeys(tasks))
    card = pd.DataFrame(score_NT, columns=names).assign(
        network=networks, **{OVERALL: overall_N, RANK: ranked(overall_N), "rank_low": low_N, "rank_high": high_N}
    )
    card[MISSING] = [", ".join(np.array(names)[np.isnan(row)]) for row in score_NT]
    columns = ["network", *names, OVERALL, RANK, "rank_low", "rank_high", MISSING]
    return card[columns].sort_values(RANK, kind="stable", ignore_index=True)


def words_of_rank(rank: int, low: int, high: int) -> str:
    """``2 (1 to 3)``."""
    return f"{rank}" if low == high else f"{rank} ({low} to {high})"


def _figures(table: pd.DataFrame) -> pd.DataFrame:
    """Figures of all images that are better high or low, turned so that high is better."""
    better = {name: _better(name) for name in set(table["evaluation"])} if len(table) else {}
    signs = {"high": 1.0, "low": -1.0}
    sign = [
        0.0 if one.part else signs.get(better[one.evaluation].get(str(one.metric), "none"), 0.0)
        for one in table.itertuples()
    ]
    own = table.assign(sign=sign).query("sign != 0 and value == value")
    return own.assign(turned=own["value"] * own["sign"], std=(own["high"] - own["low"]).fillna(0.0) / WIDTH)


def _better(name: str) -> Mapping[str, str]:
    better: Mapping[str, str] = components.load(components.EVALUATIONS, name).BETTER
    return better


def _arrays(figures: pd.DataFrame, networks: Sequence[str]) -> tuple[Arrays, Arrays, list[str]]:
    """Values and their deviations (N, M), not a number where there is none, and the evaluation of each figure."""
    keys = list(dict.fromkeys(zip(figures["evaluation"], figures["metric"], strict=True)))
    row_of = {name: row for row, name in enumerate(networks)}
    column_of = {key: column for column, key in enumerate(keys)}
    value_NM, std_NM = (np.full((len(networks), len(keys)), np.nan) for _ in range(2))
    for one in figures.itertuples():
        place = row_of[str(one.network)], column_of[one.evaluation, one.metric]
        value_NM[place], std_NM[place] = one.turned, one.std
    return value_NM, std_NM, [str(evaluation) for evaluation, _ in keys]


def scores(value_NM: Arrays, tasks: Sequence[str]) -> Arrays:
    """Mean z-score of each network in each evaluation, shape (N, T); not a number where it has no figure of it."""
    mean_M, std_M = np.nanmean(value_NM, axis=0), np.nanstd(value_NM, axis=0)
    z_NM = (value_NM - mean_M) / np.where(std_M > 0, std_M, 1.0)
    columns = [z_NM[:, [own == task for own in tasks]] for task in dict.fromkeys(tasks)]
    there_T = [np.isfinite(z_Nm) for z_Nm in columns]
    return np.stack(
        [
            np.where(there.any(1), np.nansum(z_Nm, axis=1) / np.maximum(there.sum(1), 1), np.nan)
            for z_Nm, there in zip(columns, there_T, strict=True)
        ],
        axis=1,
    )


def ranked(overall_N: Arrays) -> NDArray[np.int64]:
    """Ranks from 1, the highest first; equal scores share the better rank, and no score comes last."""
    filled_N = np.nan_to_num(overall_N, nan=-np.inf)
    rank_N: NDArray[np.int64] = 1 + (filled_N[None, :] > filled_N[:, None]).sum(1)
    return rank_N


def _ranks(value_NM: Arrays, std_NM: Arrays, tasks: Sequence[str], seed: int) -> tuple[Arrays, Arrays]:
    """Between which ranks each network is in 95 % of draws of all figures."""
    generator = np.random.default_rng(seed)
    rank_DN = np.stack(
        [
            ranked(np.nanmean(scores(value_NM + std_NM * generator.standard_normal(value_NM.shape), tasks), axis=1))
            for _ in range(DRAWS)
        ]
    )
    low_N, high_N = np.quantile(rank_DN, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0, method="nearest")
    return low_N.astype(int), high_N.astype(int)
