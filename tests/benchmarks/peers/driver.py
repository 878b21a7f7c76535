"""The project's side: a peer in a process of its own, as a sampler of the replay.

    python -m tests.benchmarks.peers.driver TABLE.json ... --peer evolution --peer smac_forest=ENV/bin/python --out DIR

plays adapters (file names of this folder) on the noise and the seeds of ``python -m search replay`` and writes traces
into the same folder, so that the command's summary can stand over both. Without a Python of its own an adapter runs
under this one.
"""

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np
import optuna
import pandas as pd

from search import replay, tables
from search.problem import Observations, Problem
from search.replay_measures import summarise
from search.samplers._supply import Supply, without
from search.tables import row_keys
from spaces.dimensions import is_ordinal
from spaces.space import Codes

HERE = Path(__file__).resolve().parent
TRIES = 5
"""Proposals that are refused, uncharged, before an unseen feasible candidate is drawn uniformly; as for Optuna's."""


class PeerSampler:
    """A peer behind ``propose``. Proposals follow from the seed and from the sequence of calls.

    Args:
        problem: space without conditions, exact costs, limits and budgets.
        adapter: file of this folder.
        python: interpreter of the peer's environment.
        seed: given to the peer, and of the uniform draws.
        trials: length of the replay, for peers that plan ahead.

    Raises:
        ValueError: the space has conditions.
        RuntimeError: the peer's process ends.
    """

    def __init__(self, problem: Problem, *, adapter: Path, python: str, seed: int, trials: int) -> None:
        if problem.space.conditions:
            raise ValueError(
                f"peers are played on spaces without conditions, and space '{problem.space.name}' has some"
            )
        self.problem, self._supply, self._rng = problem, Supply(problem), np.random.default_rng([seed, 11])
        bounds = [next(iter(budget.bounds().items()), None) for budget in problem.budgets]
        self._cost = bounds[0][0] if bounds[0] is not None else None
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(adapter)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        dimensions = [{"size": len(d.values), "ordinal": is_ordinal(d)} for d in problem.space.dimensions]
        budgets = [float(np.log(bound[1])) for bound in bounds if bound is not None]
        self._send("start", dimensions=dimensions, seed=seed, trials=trials, budgets=budgets)
        self._told, self._asked = 0, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the peer's process."""
        with contextlib.suppress(BrokenPipeError):  # what was not read by a peer that is gone
            self._process.communicate(timeout=60)

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        """``n`` = 1 candidate, unseen and feasible; every observation since the last call is told first."""
        if n != 1 or len(pending_ND):
            raise ValueError(f"peers are asked for one candidate at a time, given {n} with {len(pending_ND)} pending")
        for row in range(self._told, len(observed.codes_ND)):
            codes_D = observed.codes_ND[row]
            asked = row_keys(codes_D[None])[0] == self._asked
            cost = self._log_cost(codes_D)
            self._send("tell", codes=codes_D.tolist(), score=float(observed.score_N[row]), cost=cost, asked=bool(asked))
        self._told = len(observed.codes_ND)
        return self._next(observed.codes_ND)[None]

    def _next(self, seen_ND: Codes) -> Codes:
        seen = set(row_keys(seen_ND).tolist())
        for _ in range(TRIES):
            codes_D = np.array(self._send("ask", body=True)["codes"], dtype=np.int16)
            self._asked = row_keys(codes_D[None])[0]
            if self._known(codes_D) and self._asked not in seen and bool(self.problem.feasible(codes_D[None])[0]):
                return codes_D
            self._send("refuse", codes=codes_D.tolist(), cost=self._log_cost(codes_D) if self._known(codes_D) else 0.0)
        drawn_ND = without(self._supply.draw(500, self._rng), seen_ND)
        if not len(drawn_ND):
            drawn_ND = without(self._supply.draw(10**6, self._rng), seen_ND)
        chosen_D: Codes = drawn_ND[self._rng.integers(len(drawn_ND))]
        return chosen_D

    def _known(self, codes_D: Codes) -> bool:
        pool_ND = self._supply.pool
        return pool_ND is None or bool(np.isin(row_keys(codes_D[None]), row_keys(pool_ND))[0])

    def _log_cost(self, codes_D: Codes) -> float:
        return 0.0 if self._cost is None else float(np.log(self.problem.costs(codes_D[None])[self._cost][0]))

    def _send(self, word: str, *, body: bool = False, **fields: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({word: True if body else fields}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.close()
            raise RuntimeError(f"the peer {self._process.args!r} ended at '{word}'; run its script to see why")
        parsed: dict[str, Any] = json.loads(answer)
        return parsed


def play(table: Path, peer: str, seed: int, trials: int, budgets: int, out: Path) -> Path:
    """Play one trace of the family mode and write it, unless it is there."""
    name, _, python = peer.partition("=")
    wanted = replay.Play(
        table=table, sampler=name, mode="family", seed=seed, trials=trials, budgets=budgets, batch=1, out=out
    )
    if not wanted.trace.exists():
        wanted.trace.parent.mkdir(parents=True, exist_ok=True)
        loaded = tables.load(table)
        problem = tables.problem(loaded, budgets)
        adapter = HERE / f"{name}.py"
        with PeerSampler(
            problem, adapter=adapter, python=python or sys.executable, seed=seed, trials=trials
        ) as sampler:
            replay.record(wanted, loaded, problem, sampler)
    return wanted.trace


def main() -> None:
    """Play peers and print the family regret of all traces in the folder that have the same settings."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--peer", action="append", required=True, metavar="ADAPTER[=PYTHON]")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budgets", type=int, default=10)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for seed in range(given.seeds):
        for peer in given.peer:
            for table in given.tables:
                trace = play(table, peer, seed, given.trials, given.budgets, given.out)
                print(trace.stem, flush=True)
    settings = f"--{given.trials}x{given.budgets}x1.parquet"
    traces = pd.concat(
        [pd.read_parquet(path) for path in sorted((given.out / "traces").glob(f"*--family--*{settings}"))]
    )
    loaded = {path.stem: tables.load(path) for path in given.tables}
    summary, _ = summarise(traces[traces.table.isin(loaded)], loaded, given.budgets)
    print(summary[summary.measure == "family_regret"].to_string(index=False))


if __name__ == "__main__":
    main()
