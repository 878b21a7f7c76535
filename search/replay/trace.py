"""One trace: a sampler plays over a recorded table, and what it trains is written down.

A trial costs a look-up: the sampler sees the score of one recorded seed, the measures use the score over all seeds. The
seed of a trace fixes which recorded seed every candidate shows, so samplers are compared on the same noise (paired).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray

from search.problem.problem import Observations, Problem
from search.replay import tables as recorded
from search.replay.measures import CHECKPOINTS
from search.replay.playing import write_trace
from search.replay.tables import Table
from search.samplers import by_name
from search.samplers.protocol import Offer, Proposer, Recommender
from spaces.mistake import Mistake

EARLIER = 200
"""Trials of another table that a sampler starts from."""


@dataclass(frozen=True, kw_only=True)
class Play:
    """One trace to be played: a sampler on a table with one seed.

    Attributes:
        table: ``NAME.json``.
        sampler: its name.
        mode: ``family`` (all budgets at once under the loosest) or ``single`` (the best score, no limit).
        seed: of the sampler, and of the recorded seed that each candidate shows.
        trials: length of the trace; shorter where the table has no more feasible candidates.
        budgets: members of the family.
        batch: proposals at a time.
        out: folder of the replay.
        earlier: another table on the same dimensions, ``EARLIER`` of whose trials the sampler starts from.
        spacing: of the budgets, see ``search.replay.tables.problem``.
    """

    table: Path
    sampler: str
    mode: str
    seed: int
    trials: int
    budgets: int
    batch: int
    out: Path
    earlier: Path | None = None
    spacing: recorded.Spacing = "quantile"

    @property
    def trace(self) -> Path:
        """Where the trace is written."""
        settings = f"{self.trials}x{self.budgets}x{self.batch}" + ("" if self.spacing == "quantile" else "xlog")
        name = self.sampler if self.earlier is None else f"{self.sampler}+{self.earlier.stem}"
        return self.out / "traces" / f"{self.table.stem}--{name}--{self.mode}--{self.seed}--{settings}.parquet"


def play_trace(play: Play) -> Path:
    """Play one trace with the sampler of its name, and write it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # one line for every study in memory otherwise
    table = recorded.load(play.table)
    family = play.mode == "family"
    problem = recorded.problem(table, play.budgets, spacing=play.spacing) if family else recorded.unlimited(table)
    earlier: tuple[Observations, ...] = ()
    if play.earlier is not None:
        other = _on_same_space(play.earlier, table)
        earlier, problem = (_earlier(other, play.seed),), recorded.counting(problem, table, other)
    offer = Offer(problem=problem, seed=play.seed, earlier=earlier)
    return record(play, table, problem, by_name.build(play.sampler, offer))


def record(play: Play, table: Table, problem: Problem, sampler: Proposer) -> Path:
    """Play a sampler, whoever made it, and write the trace whole or not at all.

    It ends early, without repeats, where the table has no more feasible candidates.
    """
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
    return write_trace(trace, play.trace)


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
    if not isinstance(sampler, Recommender):
        return None
    observed = Observations(codes_ND=table.codes_ND[np.array(rows)], score_N=score_N[np.array(rows)])
    return [-1 if place is None else rows[place] for place in sampler.recommend(observed)]


def _on_same_space(path: Path, table: Table) -> Table:
    """Another table.

    Raises:
        Mistake: its dimensions differ, or it has a single candidate.
    """
    other = recorded.load(path)
    if (other.space.addresses, other.space.dimensions) != (table.space.addresses, table.space.dimensions):
        raise Mistake(f"{path} has other dimensions than '{table.name}': transfer needs the same ones")
    if len(other.codes_ND) < 2:
        raise Mistake(f"{path} has 1 candidate with a score; a start from it needs at least two")
    return other


def _earlier(other: Table, seed: int) -> Observations:
    """``EARLIER`` uniform recorded trials of another table on the same space."""
    count = len(other.codes_ND)
    rows = np.random.default_rng([seed, 7]).choice(count, size=min(EARLIER, count), replace=False)
    return Observations(codes_ND=other.codes_ND[rows], score_N=other.one_seed(np.random.default_rng(seed))[rows])
