"""The project's side: a peer in a process of its own, as a sampler of the replay.

    pip install -e .[peers]
    python -m venv OPENBOX && OPENBOX/bin/pip install -r tests/benchmarks/peers/environments/openbox.txt
    python -m tests.benchmarks.peers.driver TABLE.json ... --out DIR --peer smac_forest --peer \
        openbox_advisor=OPENBOX/bin/python

plays adapters (file names of this folder) on the noise and the seeds of ``python -m search replay`` and writes traces
into a folder of the same form, with the processor time of each peer beside it. Without a Python of its own an adapter
runs under this one. A trace that uses up its processor time, or whose peer ends, is named and kept up to the last
checkpoint of the measures that it passed; the rest is played.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
import optuna
import pandas as pd

from search.problem.problem import Observations, Problem
from search.problem.supply import Supply
from search.replay import tables, trace
from search.replay.measures import CHECKPOINTS, summarise
from spaces.codes import hamming, row_keys, without
from spaces.dimensions import is_ordinal
from spaces.space import Codes

HERE = Path(__file__).resolve().parent
TRIES = 5
"""Proposals that are refused, uncharged, before an unseen feasible candidate is drawn uniformly; as for Optuna's."""
ONE_THREAD = {f"{pool}_NUM_THREADS": "1" for pool in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}


class PeerEnded(RuntimeError):
    """A peer's process is gone: it failed, or it used up its processor time."""


class PeerSampler:
    """A peer behind ``propose``. Proposals follow from the seed and from the sequence of calls.

    What a peer proposes is mapped to the nearest unseen member where the table lists a part of its space, as Optuna's
    samplers are. Elsewhere what is outside the hard limits or already trained is refused.

    Args:
        problem: space without conditions, exact costs, limits and budgets.
        adapter: file of this folder.
        python: interpreter of the peer's environment.
        seed: given to the peer, and of the uniform draws.
        trials: length of the replay, for peers that plan ahead.
        seconds: processor time of the peer, after which it is ended.

    Raises:
        ValueError: the space has conditions.
        PeerEnded: the peer's process ends.
    """

    def __init__(
        self, problem: Problem, *, adapter: Path, python: str, seed: int, trials: int, seconds: int = 600
    ) -> None:
        if problem.space.conditions:
            raise ValueError(
                f"peers are played on spaces without conditions, and space '{problem.space.name}' has some"
            )
        self.problem, self._supply, self._rng = problem, Supply(problem), np.random.default_rng([seed, 11])
        bounds = [next(iter(budget.bounds().items()), None) for budget in problem.budgets]
        self._cost = bounds[0][0] if bounds[0] is not None else None
        self.seconds = seconds
        self._errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(adapter)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | ONE_THREAD | {"PYTHONHASHSEED": "0"},  # without which SMAC does not repeat itself
        )
        dimensions = [{"size": len(d.values), "ordinal": is_ordinal(d)} for d in problem.space.dimensions]
        budgets = [float(np.log(bound[1])) for bound in bounds if bound is not None]
        self.trained_ND, self._asked = np.zeros((0, len(dimensions)), dtype=np.int16), b""
        try:
            self._send("start", dimensions=dimensions, seed=seed, trials=trials, budgets=budgets, seconds=seconds)
        except PeerEnded:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the peer's process, after which the operating system knows its processor time."""
        if not self._errors.closed:
            with contextlib.suppress(BrokenPipeError):  # what was not read by a peer that is gone
                self._process.communicate(timeout=60)
            self._errors.close()

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        """``n`` = 1 candidate, unseen and feasible; every observation since the last call is told first."""
        if n != 1 or len(pending_ND):
            raise ValueError(f"peers are asked for one candidate at a time, given {n} with {len(pending_ND)} pending")
        for row in range(len(self.trained_ND), len(observed.codes_ND)):
            codes_D = observed.codes_ND[row]
            asked = row_keys(codes_D[None])[0] == self._asked
            cost = self._log_cost(codes_D)
            self._send("tell", codes=codes_D.tolist(), score=float(observed.score_N[row]), cost=cost, asked=bool(asked))
            self.trained_ND = observed.codes_ND[: row + 1]
        return self._next(observed.codes_ND)[None]

    def _next(self, seen_ND: Codes) -> Codes:
        pool_ND = self._supply.pool
        if pool_ND is not None:
            return self._nearest(self._ask(), without(pool_ND, seen_ND))
        seen = set(row_keys(seen_ND).tolist())
        for _ in range(TRIES):
            codes_D = self._ask()
            known = self._asked in seen
            if not known and bool(self.problem.feasible(codes_D[None])[0]):
                return codes_D
            self._send("refuse", codes=codes_D.tolist(), cost=self._log_cost(codes_D), known=known)
        drawn_ND = without(self._supply.draw(500, self._rng), seen_ND)
        if not len(drawn_ND):
            drawn_ND = without(self._supply.draw(10**6, self._rng), seen_ND)
        chosen_D: Codes = drawn_ND[self._rng.integers(len(drawn_ND))]
        return chosen_D

    def _ask(self) -> Codes:
        codes_D = np.array(self._send("ask", body=True)["codes"], dtype=np.int16)
        self._asked = row_keys(codes_D[None])[0]
        return codes_D

    def _nearest(self, codes_D: Codes, free_ND: Codes) -> Codes:
        distance_N = hamming(free_ND, codes_D)
        chosen_D: Codes = free_ND[self._rng.choice(np.flatnonzero(distance_N == distance_N.min()))]
        return chosen_D

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
            trials = f"{len(self.trained_ND)} trials"
            raise PeerEnded(f"the peer {self._process.args!r} ended at '{word}' after {trials}: {self._why()}")
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    def _why(self) -> str:
        if self._process.wait() == -signal.SIGXCPU:
            return f"its {self.seconds} seconds of processor time are used up"
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}, without a message"


class _Again:
    """Proposes what was trained before."""

    def __init__(self, codes_ND: Codes) -> None:
        self._codes_ND = codes_ND

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        done = len(observed.codes_ND)
        return self._codes_ND[done : done + n]


def play(wanted: trace.Play, python: str, seconds: int) -> None:
    """Play one trace and write it; the processor time of the peer goes beside the traces.

    Raises:
        PeerEnded: after the trace up to the last checkpoint was written.
    """
    wanted.trace.parent.mkdir(parents=True, exist_ok=True)
    loaded = tables.load(wanted.table)
    problem = tables.problem(loaded, wanted.budgets)
    adapter, before = HERE / f"{wanted.sampler}.py", _children_seconds()
    with PeerSampler(
        problem, adapter=adapter, python=python, seed=wanted.seed, trials=wanted.trials, seconds=seconds
    ) as sampler:
        try:
            trace.record(wanted, loaded, problem, sampler)
        except PeerEnded:
            passed = [checkpoint for checkpoint in CHECKPOINTS if checkpoint <= len(sampler.trained_ND)]
            if passed:
                wanted = dataclasses.replace(wanted, trials=passed[-1])
                trace.record(wanted, loaded, problem, _Again(sampler.trained_ND))
            raise
        finally:
            sampler.close()
            with (wanted.out / "processor_seconds.csv").open("a", encoding="utf-8") as spent:
                spent.write(f"{wanted.trace.stem},{_children_seconds() - before:.1f}\n")


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def conclude(folder: Path, table_paths: list[Path], budgets: int) -> pd.DataFrame:
    """Summary of all family traces in a folder, the longest of each table, peer and seed; also in ``summary.csv``."""
    longest: dict[tuple[str, ...], tuple[int, Path]] = {}
    for path in (folder / "traces").glob(f"*--family--*x{budgets}x1.parquet"):
        *key, settings = path.stem.split("--")
        found = int(settings.partition("x")[0]), path
        longest[tuple(key)] = max(longest.get(tuple(key), found), found)
    if not longest:
        raise SystemExit(f"{folder} has no traces with {budgets} budgets")
    loaded = {path.stem: tables.load(path) for path in table_paths}
    traces = pd.concat([pd.read_parquet(path) for _, path in sorted(longest.values())])
    summary, _ = summarise(traces[traces.table.isin(loaded)], loaded, budgets)
    summary.to_csv(folder / "summary.csv", index=False)
    return summary


def main() -> None:
    """Play peers, print the family regret of all traces in the folder, and end with an error if a trace is missing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--peer", action="append", default=[], metavar="ADAPTER[=PYTHON]", help="none: only summarise")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budgets", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=600, help="processor time of a peer per trace (default 600)")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    failures = []
    for seed, peer, table in itertools.product(range(given.seeds), given.peer, given.tables):
        name, _, python = peer.partition("=")
        settings = {"mode": "family", "trials": given.trials, "budgets": given.budgets, "batch": 1, "out": given.out}
        wanted = trace.Play(table=table, sampler=name, seed=seed, **settings)
        if wanted.trace.exists():
            continue
        try:
            play(wanted, python or sys.executable, given.seconds)
            print(wanted.trace.stem, flush=True)
        except PeerEnded as error:
            failures.append(f"{table.stem}, seed {seed}: {error}")
            print(failures[-1], flush=True)
    summary = conclude(given.out, given.tables, given.budgets)
    print(summary[summary.measure == "family_regret"].to_string(index=False))
    if failures:
        raise SystemExit("not played to their end:\n" + "\n".join(failures))


if __name__ == "__main__":
    main()
