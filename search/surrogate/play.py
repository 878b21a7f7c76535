"""Samplers on whole spaces: ``python -m search replay TABLE.json --surrogate --sampler NAME ...``.

Each (table, sampler, seed) is a trace, one parquet file written once, so that a replay that was stopped continues. All
samplers of a seed see the same noise.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from search.problem.problem import Observations
from search.replay import tables
from search.replay.measures import CHECKPOINTS, paired_differences
from search.replay.playing import check_replay, play_missing, write_trace
from search.samplers import by_name
from search.samplers.protocol import Offer, Proposer, Recommender
from search.surrogate.measures import measures, yardsticks
from search.surrogate.model import PREDICTOR, Surrogate


@lru_cache(maxsize=8)
def _surrogate(table: Path, budgets: int, spacing: tables.Spacing, predictor: str) -> Surrogate:
    """The model, which all traces of a table in a process share."""
    return Surrogate.of(table, budgets=budgets, spacing=spacing, predictor=predictor)


@dataclass(frozen=True, kw_only=True)
class Play:
    """One trace to be played.

    Attributes:
        table: ``NAME.json``.
        predictor: that the table's model is.
        sampler: its name.
        seed: of the sampler, and of the noise that each candidate shows.
        trials: length of the trace.
        budgets: members of the family.
        spacing: of the budgets, see ``search.replay.tables.problem``.
        batch: proposals at a time.
        out: folder of the replay.
    """

    table: Path
    predictor: str
    sampler: str
    seed: int
    trials: int
    budgets: int
    spacing: tables.Spacing
    batch: int
    out: Path

    @property
    def surrogate(self) -> Surrogate:
        """The space that is played."""
        return _surrogate(self.table, self.budgets, self.spacing, self.predictor)

    @property
    def trace(self) -> Path:
        """Where the trace is written."""
        settings = f"{self.trials}x{self.budgets}x{self.batch}x{self.spacing}"
        name = f"{self.table.stem}--{self.sampler}--{self.predictor}--{self.seed}--{settings}.parquet"
        return self.out / "surrogate" / name


def play_surrogates(
    paths: Sequence[Path],
    samplers: Sequence[str],
    seeds: Sequence[int],
    *,
    trials: int,
    budgets: int,
    spacing: tables.Spacing,
    batch: int,
    out: Path,
    processes: int = 1,
    predictor: str = PREDICTOR,
) -> pd.DataFrame:
    """Play every sampler on the whole space of every table; print how good the models are and what was reached.

    Args:
        paths: ``NAME.json`` files of ``search record``, with their parquet beside them.
        samplers: names that ``search.samplers.by_name.names`` lists.
        seeds: of the traces.
        trials: length of each trace.
        budgets: members of the family, at the table's own costs.
        spacing: of the budgets.
        batch: proposals asked for at a time.
        out: folder of traces and ``surrogate.csv``; traces that are already in it are not played again.
        processes: traces played at a time, each in its own process where above 1.
        predictor: that the models are.

    Returns:
        Mean and standard error over seeds of each measure (``search.surrogate.measures``).

    Raises:
        Mistake: nothing to play, a count below 1, a sampler that does not exist, or a table that tells no space.
    """
    counts = {"trials": trials, "seeds": len(seeds), "budgets": budgets, "batch": batch, "processes": processes}
    check_replay(paths, samplers, counts)
    plays = [
        Play(
            table=path,
            predictor=predictor,
            sampler=sampler,
            seed=seed,
            trials=trials,
            budgets=budgets,
            spacing=spacing,
            batch=batch,
            out=out,
        )
        for path in paths
        for seed in seeds
        for sampler in samplers
    ]
    surrogates = {path: next(play for play in plays if play.table == path).surrogate for path in paths}
    for surrogate in surrogates.values():
        print(*surrogate.describe(), sep="\n", flush=True)
    (out / "surrogate").mkdir(parents=True, exist_ok=True)
    play_missing(plays, play_trace, processes)
    per_seed = pd.concat(_measured(surrogate, plays, path) for path, surrogate in surrogates.items())
    keys = ["table", "sampler", "trials", "measure"]
    summary = per_seed.groupby(keys, sort=False)["value"].agg(mean="mean", stderr="sem", seeds="count").reset_index()
    summary.to_csv(out / "surrogate.csv", index=False)
    print(paired_differences(per_seed))
    return summary


def _measured(surrogate: Surrogate, plays: Sequence[Play], path: Path) -> pd.DataFrame:
    """The measures of each trace of one table at each checkpoint."""
    own = [play for play in plays if play.table == path]
    traces = [pd.read_parquet(play.trace) for play in own]
    yardstick = yardsticks(surrogate, pd.concat(traces))
    rows = []
    for play, trace in zip(own, traces, strict=True):
        for count in sorted({t for t in CHECKPOINTS if t <= len(trace)} | {len(trace)}):
            for name, value in measures(trace.head(count), yardstick).items():
                rows.append((surrogate.table, play.sampler, play.seed, count, name, value))
    return pd.DataFrame(rows, columns=["table", "sampler", "seed", "trials", "measure", "value"])


def play_trace(play: Play) -> Path:
    """Play one trace, and write it whole or not at all."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # one line for every study in memory otherwise
    surrogate = play.surrogate
    sampler = by_name.build(play.sampler, Offer(problem=surrogate.problem, seed=play.seed))
    nothing_ND = surrogate.rows.codes_ND[:0]
    observed = Observations(codes_ND=nothing_ND, score_N=np.zeros(0))
    seconds: list[float] = []
    advice: list[list[int] | None] = []
    while (done := len(observed.codes_ND)) < play.trials:
        n = min(play.batch, play.trials - done)
        started = time.perf_counter()
        new_ND = sampler.propose(observed, nothing_ND, n)
        seconds += [(time.perf_counter() - started) / n] * n
        for codes_D in new_ND:
            observed = Observations(
                codes_ND=np.concatenate([observed.codes_ND, codes_D[None]]),
                score_N=np.concatenate([observed.score_N, surrogate.scores(codes_D[None], play.seed)]),
            )
            advice.append(_advice(sampler, observed) if len(observed.codes_ND) in CHECKPOINTS else None)
    costs = surrogate.problem.costs(observed.codes_ND)
    trace = pd.DataFrame(
        {
            "trial": np.arange(play.trials),
            "codes": observed.codes_ND.tolist(),
            "score": observed.score_N,
            "truth": surrogate.truth(observed.codes_ND),
            "cost": costs[surrogate.cost],
            "seconds": seconds,
            "advice": advice,
        }
    )
    return write_trace(trace, play.trace)


def _advice(sampler: Proposer, observed: Observations) -> list[int] | None:
    """Trials that a sampler with a posterior would keep for each budget (-1: none); None for samplers without one."""
    if not isinstance(sampler, Recommender):
        return None
    return [-1 if row is None else row for row in sampler.recommend(observed)]
