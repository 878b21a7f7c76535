"""Peers behind the replay: the protocol, played with the two that need no environment of their own."""

import ast
import dataclasses
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.problem.limits import Limits
from search.problem.problem import Observations, Problem
from search.replay import tables, trace
from spaces.dimensions import Choice, Integer
from spaces.space import Codes, Space
from tests.benchmarks.peers import driver
from tests.benchmarks.peers.driver import HERE, PeerEnded, PeerSampler
from tests.benchmarks.peers.protocol import Peer
from tests.search import toy as conditional
from tests.search.replay.tables import write

SPACE = Space(
    name="plain",
    backbone="none",
    architecture={f"width.{i}": Integer(low=1, high=4) for i in range(4)},
    recipe={"optimizer": Choice(values=("sgd", "adam", "lion"))},
)


ADAPTERS = sorted(path for path in HERE.glob("*.py") if path.stem not in ("__init__", "driver", "protocol"))
FIXED = """
import json, sys
sys.path.insert(0, {here!r})
from protocol import serve

class Fixed:
    def __init__(self, dimensions, seed, trials, budgets):
        self.asked = 0

    def ask(self):
        self.asked += 1
        {ask}

    def tell(self, codes, score, cost, asked):
        print(json.dumps({{"tell": [codes, asked]}}), file=open({log!r}, "a"))

    def refuse(self, codes, cost, known):
        print(json.dumps({{"refuse": [codes, known]}}), file=open({log!r}, "a"))

serve(Fixed)
"""


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


def fixed(folder: Path, ask: str) -> Path:
    """An adapter whose ``ask`` is this line; what it is told goes to ``log`` beside it."""
    path = folder / "fixed.py"
    path.write_text(FIXED.format(here=str(HERE), ask=ask, log=str(folder / "log")))
    return path


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


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
    with pytest.raises(PeerEnded, match=r"broken\.py.* ended at 'start' after 0 trials: exit code 1"):
        PeerSampler(problem(), adapter=broken, python=sys.executable, seed=0, trials=5)


def test_conditions_are_refused() -> None:
    with pytest.raises(ValueError, match="spaces without conditions"):
        PeerSampler(conditional.problem(), adapter=HERE / "evolution.py", python=sys.executable, seed=0, trials=5)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda path: path.stem)
def test_adapters_keep_to_the_protocol(adapter: Path) -> None:
    """What can be held without the peers' packages: the methods, their parameters, and where to install from."""
    tree = ast.parse(adapter.read_text())
    (peer,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = {
        node.name: [argument.arg for argument in node.args.args]
        for node in peer.body
        if isinstance(node, ast.FunctionDef)
    }
    assert methods["__init__"] == ["self", "dimensions", "seed", "trials", "budgets"]
    for name in ("ask", "tell", "refuse"):
        assert methods[name] == list(inspect.signature(getattr(Peer, name)).parameters)
    stated = ast.get_docstring(tree) or ""
    assert "Limits: " in stated
    environment = stated.split("Environment: ")[1].splitlines()[0].rstrip(".").replace("``", "")
    assert environment in ("the standard library", "the extra peers") or (HERE / environment).is_file()


def test_refusals_say_whether_the_score_is_known(tmp_path: Path) -> None:
    chain = problem()
    adapter = fixed(tmp_path, "return [1, 0, 0, 0, 0] if self.asked < 3 else [3, 3, 3, 3, 0]")
    seen = Observations(codes_ND=np.zeros((0, 5), dtype=np.int16), score_N=np.zeros(0))
    with PeerSampler(chain, adapter=adapter, python=sys.executable, seed=0, trials=5) as peer:
        first_ND = peer.propose(seen, seen.codes_ND, 1)
        seen = Observations(codes_ND=first_ND, score_N=np.ones(1))
        second_ND = peer.propose(seen, seen.codes_ND[:0], 1)
        seen = Observations(codes_ND=np.concatenate([first_ND, second_ND]), score_N=np.ones(2))
        peer.propose(seen, seen.codes_ND[:0], 1)
    outside = {"refuse": [[3, 3, 3, 3, 0], False]}
    assert log(tmp_path)[:6] == [
        {"tell": [[1, 0, 0, 0, 0], True]},
        {"refuse": [[1, 0, 0, 0, 0], True]},
        *[outside] * 4,
    ]
    assert log(tmp_path)[6] == {"tell": [second_ND[0].tolist(), False]}


def test_in_a_pool_with_gaps_the_nearest_unseen_member_is_trained(tmp_path: Path) -> None:
    pool_ND = np.array([[0, 0, 0, 0, 0], [3, 0, 0, 0, 0], [3, 1, 0, 0, 0]], dtype=np.int16)
    listed = dataclasses.replace(problem(), pool=pool_ND)
    adapter = fixed(tmp_path, "return [3, 2, 0, 0, 0]")
    known = Observations(codes_ND=pool_ND[:0], score_N=np.zeros(0))
    with PeerSampler(listed, adapter=adapter, python=sys.executable, seed=0, trials=3) as peer:
        for _ in range(3):
            codes_ND = np.concatenate([known.codes_ND, peer.propose(known, pool_ND[:0], 1)])
            known = Observations(codes_ND=codes_ND, score_N=np.zeros(len(codes_ND)))
    assert {tuple(row) for row in known.codes_ND[:2]} == {(3, 0, 0, 0, 0), (3, 1, 0, 0, 0)}
    assert known.codes_ND[2].tolist() == [0, 0, 0, 0, 0]
    assert not any(entry["tell"][1] for entry in log(tmp_path))


def test_a_peer_that_uses_up_its_time_leaves_a_trace_to_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write(tmp_path)
    ask = "a = self.asked; return [a // 4, a // 2 % 2, a % 2] if a < 8 else [sum(iter(int, 1))]"
    monkeypatch.setattr(driver, "HERE", fixed(tmp_path, ask).parent)
    monkeypatch.setattr(driver, "CHECKPOINTS", (3, 6, 20))
    wanted = trace.Play(
        table=table, sampler="fixed", mode="family", seed=0, trials=12, budgets=2, batch=1, out=tmp_path / "out"
    )
    with pytest.raises(PeerEnded, match="after 7 trials: its 1 seconds of processor time are used up"):
        driver.play(wanted, sys.executable, seconds=1)
    (kept,) = (tmp_path / "out" / "traces").iterdir()
    assert (
        pd.read_parquet(kept).row.tolist()
        == tables.load(table)
        .row_of(np.array([[a // 4, a // 2 % 2, a % 2] for a in range(1, 7)], dtype=np.int16))
        .tolist()
    )
    assert set(driver.conclude(tmp_path / "out", [table], budgets=2).trials) == {6}
