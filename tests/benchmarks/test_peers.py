"""Peers behind the replay: the protocol, played with the two that need no environment of their own."""

import sys
from pathlib import Path

import numpy as np
import pytest

from search.limits import Limits
from search.problem import Observations, Problem
from spaces.dimensions import Choice, Integer
from spaces.space import Codes, Space
from tests.benchmarks.peers.driver import HERE, PeerSampler
from tests.conformance import test_samplers as conditional

SPACE = Space(
    name="plain",
    backbone="none",
    architecture={f"width.{i}": Integer(low=1, high=4) for i in range(4)},
    recipe={"optimizer": Choice(values=("sgd", "adam", "lion"))},
)


def macs(codes_ND: Codes) -> dict[str, np.ndarray]:
    return {"macs": 1.0 + codes_ND[:, :4].sum(axis=1)}


def problem() -> Problem:
    budgets = (Limits(max_macs=4.0), Limits(max_macs=8.0))
    return Problem(
        space=SPACE,
        costs=macs,
        statistics=lambda codes_ND: np.log(macs(codes_ND)["macs"])[:, None],
        limits=budgets[-1],
        budgets=budgets,
    )


def score(codes_ND: Codes) -> np.ndarray:
    result: np.ndarray = macs(codes_ND)["macs"] + (codes_ND[:, 4] == 1)
    return result


def played(name: str, seed: int, trials: int = 25) -> np.ndarray:
    chain = problem()
    known = Observations(codes_ND=np.zeros((0, len(chain.space.dimensions)), dtype=np.int16), score_N=np.zeros(0))
    with PeerSampler(chain, adapter=HERE / f"{name}.py", python=sys.executable, seed=seed, trials=trials) as peer:
        for _ in range(trials):
            codes_ND = np.concatenate([known.codes_ND, peer.propose(known, known.codes_ND[:0], 1)])
            known = Observations(codes_ND=codes_ND, score_N=score(codes_ND))
    return known.codes_ND


@pytest.mark.parametrize("name", ["evolution", "local_search"])
def test_peers_propose_new_feasible_candidates_and_repeat_themselves(name: str) -> None:
    codes_ND = played(name, seed=3)
    assert len(np.unique(codes_ND, axis=0)) == 25
    assert problem().feasible(codes_ND).all()
    np.testing.assert_array_equal(played(name, seed=3), codes_ND)
    assert (played(name, seed=4) != codes_ND).any()


def test_a_peer_that_does_not_start_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit(1)")
    with pytest.raises(RuntimeError, match=r"broken\.py.* ended at 'start'"):
        PeerSampler(problem(), adapter=broken, python=sys.executable, seed=0, trials=5)


def test_conditions_are_refused() -> None:
    with pytest.raises(ValueError, match="spaces without conditions"):
        PeerSampler(conditional.problem(), adapter=HERE / "evolution.py", python=sys.executable, seed=0, trials=5)
