"""Processor seconds of one proposal at 1,000 and 10,000 finished trials, beside Optuna's samplers in the same run.

Run with ``pytest -m benchmark -s``. One core; 20 dimensions, three budgets; median of the proposals after a first one
that pays for what later ones reuse. Optuna's Gaussian process is played at 1,000 trials only.
"""

import time

import numpy as np
import pytest

from search.problem.limits import Limits
from search.problem.problem import Observations, Problem
from search.samplers.by_name import build
from search.samplers.protocol import Offer
from spaces.dimensions import Choice, Integer, Real
from spaces.sampling import uniform
from spaces.space import Codes, Space

SPACE = Space(
    name="wide",
    backbone="none",
    architecture={f"width.{i}": Integer(low=1, high=6) for i in range(12)}
    | {f"block.{i}": Choice(values=("a", "b", "c")) for i in range(4)},
    recipe={f"knob{i}": Real(low=0.0, high=1.0, levels=9) for i in range(4)},
)


def macs(codes_ND: Codes) -> dict[str, np.ndarray]:
    return {"macs": 1.0 + codes_ND[:, :12].sum(axis=1)}


def problem() -> Problem:
    budgets = tuple(Limits(max_macs=bound) for bound in (20.0, 30.0, 45.0))
    return Problem(
        space=SPACE,
        costs=macs,
        statistics=lambda codes_ND: np.log(macs(codes_ND)["macs"])[:, None],
        limits=budgets[-1],
        budgets=budgets,
    )


def finished(n: int) -> Observations:
    rng = np.random.default_rng(0)
    codes_ND = np.unique(uniform(SPACE, 2 * n, rng), axis=0)
    codes_ND = rng.permutation(codes_ND[problem().feasible(codes_ND)])[:n]
    score_N = np.log(macs(codes_ND)["macs"]) - 0.05 * (codes_ND[:, -1] - 4.0) ** 2 + rng.normal(0, 0.05, len(codes_ND))
    return Observations(codes_ND=codes_ND, score_N=score_N)


def median_seconds(name: str, n: int, proposals: int) -> float:
    known, sampler, seconds = finished(n + proposals), build(name, Offer(problem=problem(), seed=0)), []
    for count in range(n, n + proposals):
        seen = Observations(codes_ND=known.codes_ND[:count], score_N=known.score_N[:count])
        started = time.process_time()
        picks_ND = sampler.propose(seen, known.codes_ND[:0], 1)
        seconds.append(time.process_time() - started)
        assert problem().feasible(picks_ND).all()
    return float(np.median(seconds[1:]))


@pytest.mark.benchmark
@pytest.mark.parametrize(
    ("name", "n"), [("nars", 1000), ("tpe", 1000), ("gp", 1000), ("nars", 10_000), ("tpe", 10_000)]
)
def test_proposal_seconds(name: str, n: int, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = median_seconds(name, n, proposals=3 if name == "gp" else 6)
    with capsys.disabled():
        print(f"\n{name} at {n} finished trials: {seconds:.2f} processor s a proposal (median)")
