"""Samplers over recorded tables: ``python -m search replay TABLE.json --sampler NAME ...``.

Each (table, sampler, mode, seed) is a trace (``search.replay.trace``), one parquet file written once: a replay that was
stopped continues, and adding a sampler plays only the new one.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from search.replay import tables as recorded
from search.replay.measures import paired_differences, summarise
from search.replay.playing import check_replay, play_missing
from search.replay.plots import draw
from search.replay.tables import Table
from search.replay.trace import Play, play_trace
from search.samplers import by_name
from spaces.mistake import Mistake

MODES = ("family", "single")
"""``family``: all budgets at once under the loosest. ``single``: the best score, no limit."""

FEWEST = 10
"""Candidates of a table that is played."""


def play_samplers(
    tables: Sequence[Path],
    samplers: Sequence[str],
    trials: int,
    seeds: int,
    budgets: int,
    out: Path,
    *,
    processes: int = 1,
    batch: int = 1,
    modes: Sequence[str] = MODES,
    earlier: Path | None = None,
    spacing: recorded.Spacing = "quantile",
) -> pd.DataFrame:
    """Play every sampler on every table; write traces, ``summary.csv`` and plots into ``out``; return the summary.

    Args:
        tables: ``NAME.json`` files with their parquet beside them.
        samplers: names that ``search.samplers.by_name.names`` lists.
        trials: length of each trace.
        seeds: traces per table and sampler, seeds 0 to ``seeds - 1``.
        budgets: members of the family.
        out: folder; traces that are already in it are not played again.
        processes: traces played at a time, each in its own process where above 1.
        batch: proposals asked for at a time.
        modes: ``family``, ``single`` or both.
        earlier: another table on the same dimensions, some of whose trials samplers start from that can use earlier
            ones.
        spacing: of the budgets, see ``search.replay.tables.problem``.

    Raises:
        Mistake: nothing to play, a count below 1, a table or a sampler that does not exist, a table of a few rows.
    """
    counts = {"trials": trials, "seeds": seeds, "budgets": budgets, "batch": batch, "processes": processes}
    check_replay(tables, samplers, counts)
    loaded = {path.stem: _playable(path) for path in tables}
    (out / "traces").mkdir(parents=True, exist_ok=True)
    plays = [
        Play(
            table=path,
            sampler=sampler,
            mode=mode,
            seed=seed,
            trials=trials,
            budgets=budgets,
            batch=batch,
            out=out,
            earlier=earlier if sampler in by_name.transferring() else None,
            spacing=spacing,
        )
        for path in tables
        for seed in range(seeds)
        for sampler in samplers
        for mode in modes
    ]
    play_missing(plays, play_trace, processes)
    traces = [pd.read_parquet(play.trace) for play in plays]
    return _conclude(pd.concat(traces), loaded, budgets, spacing, out)


def _playable(path: Path) -> Table:
    """A table on which a search can be told from none.

    Raises:
        MalformedTable: it cannot be read.
        Mistake: it has too few candidates, or all have the same score.
    """
    table = recorded.load(path)
    count = len(table.truth_N)
    if count < FEWEST:
        raise Mistake(f"{path} has {count} candidates with a score; a replay needs at least {FEWEST}: record more")
    if np.ptp(table.truth_N) == 0:
        raise Mistake(f"all {count} candidates of {path} have the same score: there is nothing to search for")
    return table


def _conclude(
    traces: pd.DataFrame, loaded: dict[str, Table], budgets: int, spacing: recorded.Spacing, out: Path
) -> pd.DataFrame:
    traces.to_parquet(out / "traces.parquet", index=False)
    summary, per_seed = summarise(traces, loaded, budgets, spacing)
    summary.to_csv(out / "summary.csv", index=False)
    per_seed.to_parquet(out / "measures.parquet", index=False)
    draw(summary, out)
    print(paired_differences(per_seed))
    return summary
