"""Play samplers over recorded tables: ``python -m search replay TABLE.json --sampler NAME ...``.

A trial costs a look-up: the sampler sees the score of one recorded seed, the measures use the score over all seeds. One
replay seed fixes which recorded seed every candidate shows, so samplers are compared on the same noise (paired). Each
(table, sampler, mode, seed) is a trace, one parquet file written once: a replay that was stopped continues, and adding
a sampler plays only the new one.
"""

import multiprocessing
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray

from search.problem.problem import Observations, Problem
from search.replay import tables as recorded
from search.replay.measures import CHECKPOINTS, compare, summarise
from search.replay.plots import draw
from search.replay.tables import Table
from search.samplers import by_name
from search.samplers.protocol import Offer, Proposer
from spaces.mistake import Mistake

MODES = ("family", "single")
"""``family``: all budgets at once under the loosest. ``single``: the best score, no limit."""


@dataclass(frozen=True, kw_only=True)
class Play:
    """One trace to be played: a sampler on a table with one seed."""

    table: Path
    sampler: str
    mode: str
    seed: int
    trials: int
    budgets: int
    batch: int
    out: Path
    source: Path | None = None

    @property
    def trace(self) -> Path:
        """Where the trace is written."""
        settings = f"{self.trials}x{self.budgets}x{self.batch}"
        name = self.sampler if self.source is None else f"{self.sampler}+{self.source.stem}"
        return self.out / "traces" / f"{self.table.stem}--{name}--{self.mode}--{self.seed}--{settings}.parquet"


def replay(
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
    source: Path | None = None,
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
        source: another table on the same dimensions, 200 of whose trials samplers start from that can use earlier ones.

    Raises:
        Mistake: nothing to play, a count below 1, a table or a sampler that does not exist.
    """
    counts = {"trials": trials, "seeds": seeds, "budgets": budgets, "batch": batch, "processes": processes}
    wrong = [f"{name} is {count}" for name, count in counts.items() if count < 1]
    unknown = sorted(set(samplers) - set(by_name.names()))
    if wrong or unknown or not tables or not samplers:
        raise Mistake(
            f"a replay needs tables, samplers of {', '.join(by_name.names())}, and counts of at least 1"
            + f"; given {len(tables)} tables, samplers {', '.join(samplers) or 'none'} {' '.join(wrong)}".rstrip()
        )
    loaded = {path.stem: recorded.load(path) for path in tables}
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
            source=source if sampler in by_name.transferring() else None,
        )
        for path in tables
        for seed in range(seeds)
        for sampler in samplers
        for mode in modes
    ]
    _run([play for play in plays if not play.trace.exists()], processes)
    traces = [pd.read_parquet(play.trace) for play in plays]
    return _conclude(pd.concat(traces), loaded, budgets, out)


def _conclude(traces: pd.DataFrame, loaded: dict[str, Table], budgets: int, out: Path) -> pd.DataFrame:
    traces.to_parquet(out / "traces.parquet", index=False)
    summary, per_seed = summarise(traces, loaded, budgets)
    summary.to_csv(out / "summary.csv", index=False)
    per_seed.to_parquet(out / "measures.parquet", index=False)
    draw(summary, out)
    print(compare(per_seed))
    return summary


def _run(plays: Sequence[Play], processes: int) -> None:
    started = time.monotonic()
    for done, trace in enumerate(_finished(plays, processes), start=1):
        print(f"[{done}/{len(plays)}, {time.monotonic() - started:.0f} s] {trace.stem}", flush=True)


def _finished(plays: Sequence[Play], processes: int) -> Iterable[Path]:
    if processes == 1 or len(plays) < 2:
        yield from map(play_one, plays)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=processes, mp_context=context) as pool:
        for future in as_completed([pool.submit(play_one, play) for play in plays]):
            yield future.result()


def play_one(play: Play) -> Path:
    """Play one trace and write it. Ends early, without repeats, where the table has no more feasible candidates."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # one line for every study in memory otherwise
    table = recorded.load(play.table)
    problem = recorded.problem(table, play.budgets) if play.mode == "family" else recorded.unlimited(table)
    earlier = () if play.source is None else (_source(play.source, table, play.seed),)
    offer = Offer(problem=problem, seed=play.seed, earlier=earlier)
    return record(play, table, problem, by_name.build(play.sampler, offer))


def record(play: Play, table: Table, problem: Problem, sampler: Proposer) -> Path:
    """Play a sampler, whoever made it, and write the trace whole or not at all."""
    score_N = table.one_seed(np.random.default_rng(play.seed))
    rows, seconds, advice = _trials(sampler, table, problem, score_N, play)
    trace = pd.DataFrame(
        {
            "table": play.table.stem,
            "sampler": play.trace.stem.split("--")[1],
            "mode": play.mode,
            "seed": play.seed,
            "trial": np.arange(len(rows)),
            "row": rows,
            "score": score_N[rows],
            "truth": table.truth_N[rows],
            "cost": table.costs[table.cost][rows],
            "seconds": seconds,
            "advice": advice,
        }
    )
    temporary = play.trace.with_suffix(f".{os.getpid()}.part")
    trace.to_parquet(temporary, index=False)
    temporary.replace(play.trace)
    return play.trace


def _trials(
    sampler: Proposer, table: Table, problem: Problem, score_N: NDArray[np.float64], play: Play
) -> tuple[list[int], list[float], list[list[int] | None]]:
    """Rows in the order of training, seconds spent on each proposal, and the rows recommended at each checkpoint."""
    feasible = int(problem.feasible(table.codes_ND).sum())
    nothing_ND = table.codes_ND[:0]
    rows: list[int] = []
    seconds: list[float] = []
    advice: list[list[int] | None] = []
    while len(rows) < min(play.trials, feasible):
        observed = Observations(codes_ND=table.codes_ND[np.array(rows, dtype=int)], score_N=score_N[rows])
        n = min(play.batch, min(play.trials, feasible) - len(rows))
        started = time.perf_counter()
        new = table.row_of(sampler.propose(observed, nothing_ND, n)).tolist()
        seconds += [(time.perf_counter() - started) / n] * n
        for row in new:
            rows.append(row)
            advice.append(_advice(sampler, table, score_N, rows) if len(rows) in CHECKPOINTS else None)
    return rows, seconds, advice


def _advice(sampler: Proposer, table: Table, score_N: NDArray[np.float64], rows: Sequence[int]) -> list[int] | None:
    """Rows that a sampler with a posterior would keep for each budget (-1: none); None for samplers without one."""
    recommend = getattr(sampler, "recommend", None)
    if recommend is None:
        return None
    observed = Observations(codes_ND=table.codes_ND[np.array(rows)], score_N=score_N[np.array(rows)])
    return [-1 if place is None else rows[place] for place in recommend(observed)]


def _source(path: Path, table: Table, seed: int, trials: int = 200) -> Observations:
    """``trials`` uniform recorded trials of another table on the same space.

    Raises:
        Mistake: its dimensions differ.
    """
    other = recorded.load(path)
    if (other.space.addresses, other.space.dimensions) != (table.space.addresses, table.space.dimensions):
        raise Mistake(f"{path} has other dimensions than '{table.name}': transfer needs the same ones")
    kept = np.random.default_rng([seed, 7]).choice(
        len(other.codes_ND), size=min(trials, len(other.codes_ND)), replace=False
    )
    return Observations(codes_ND=other.codes_ND[kept], score_N=other.one_seed(np.random.default_rng(seed))[kept])
