"""Candidates per second of everything that works on arrays, beside tracing one network at a time, in the same run.

Writes ``docs/counting.md``.
"""

import os
import platform
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from search.problem.feasible import sample_within
from search.problem.limits import Limits
from search.problem.problem import Problem
from spaces import fbnetv3
from spaces.candidate import keywords
from spaces.encoding import encode
from spaces.sampling import uniform
from spaces.variation import breed, mutate
from tests.places import ROOT
from trainables.backbones import mobile
from trainables.counting.statistics import count
from trainables.counting.tracing import trace

N = 1_000_000

pytestmark = pytest.mark.benchmark


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@pytest.fixture(scope="module")
def report() -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines
    text = (
        "# Counting and varying candidates\n\n"
        f"The FBNetV3 space, one core of {platform.machine()} ({os.cpu_count()} cores shared with other work), "
        f"torch {torch.__version__}, numpy {np.__version__}. Written by `tests/benchmarks/test_counting.py`.\n\n"
        "| what | candidates | seconds | per second |\n|---|---|---|---|\n"
    )
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "counting.md").write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


def _line(what: str, n: int, seconds: float) -> str:
    return f"| {what} | {n:,} | {seconds:.3g} | {n / seconds:,.3g} |"


def test_arrays_against_tracing(report: list[str]) -> None:
    space = fbnetv3.space()
    rng = np.random.default_rng(0)
    codes_ND = uniform(space, N, rng)
    counted = _seconds(lambda: count(space, codes_ND, classes=1000, channels=3))
    parts_ND = codes_ND[: N // 4]
    report += [
        _line("statistics", N, counted),
        _line("uniform sample", N // 4, _seconds(lambda: uniform(space, N // 4, rng))),
        _line("mutate", N // 4, _seconds(lambda: mutate(space, parts_ND, rng, 0.1))),
        _line("breed", N // 4, _seconds(lambda: breed(space, parts_ND, N // 4, rng))),
        _line("encode to columns", N // 4, _seconds(lambda: encode(space, parts_ND))),
    ]
    traced, few = _traced_by_fvcore(space, codes_ND, 10), 10
    report.append(_line("build and trace with fvcore", few, traced))
    meta = _counted_on_meta(space, codes_ND, few)
    report.append(_line("build and count with torch.utils.flop_counter on the meta device", few, meta))
    for name, seconds in (("fvcore", traced), ("flop_counter", meta)):
        report.append(
            f"| statistics are this many times faster than {name} | | | {seconds / few / (counted / N):,.3g} |"
        )
        assert seconds / few > counted / N


def _traced_by_fvcore(space: fbnetv3.Space, codes_ND: np.ndarray, few: int) -> float:
    def run() -> None:
        for candidate in space.decode(codes_ND[:few]):
            network = mobile.build(classes=1000, channels=3, **keywords(candidate.architecture))
            trace(network, channels=3, resolution=int(candidate.architecture["resolution"]))

    return _seconds(run)


def _counted_on_meta(space: fbnetv3.Space, codes_ND: np.ndarray, few: int) -> float:
    counts = count(space, codes_ND[:few], classes=1000, channels=3)

    def run() -> None:
        for row, candidate in enumerate(space.decode(codes_ND[:few])):
            with torch.device("meta"):
                network = mobile.build(classes=1000, channels=3, **keywords(candidate.architecture)).eval()
                side = counts[row].resolution
                with FlopCounterMode(display=False) as counter, torch.no_grad():
                    network(torch.empty(1, 3, side, side))
            assert counter.get_total_flops() == 2 * counts[row].macs

    return _seconds(run)


@pytest.mark.parametrize("limit", [1.01, 1.2, 450e6, 600e6])
def test_sampling_under_limits(limit: float, report: list[str]) -> None:
    from search.problem.feasible import smallest

    space = fbnetv3.space()

    def costs(codes_ND: np.ndarray) -> dict[str, np.ndarray]:
        return count(space, codes_ND, classes=1000, channels=3).costs()

    bound = limit if limit > 10 else limit * smallest(space, costs, "macs")
    problem = Problem(space=space, costs=costs, statistics=encode, limits=Limits(max_macs=bound), budgets=())
    seconds = _seconds(lambda: sample_within(problem, 1_000, np.random.default_rng(0)))
    report.append(_line(f"sample within {bound / 1e6:.0f}M macs", 1_000, seconds))
    assert problem.feasible(sample_within(problem, 1_000, np.random.default_rng(0))).all()
