"""Many trials on a Ray of several simulated machines: sleepers through the executor, and through stage 1 and its study.

The machines are processes on this one and say that they have more processors than it has; sleepers need none.
"""

import contextlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.config import parse
from search.executors.work import Outcome
from search.feasible import sample_within
from search.problem import Observations
from search.setting import Setting, prepare
from search.stage1 import Stage1, Trials
from search.study import Record, Study, open_storage
from spaces.space import Codes
from tests.benchmarks.sleepers import Ends, private_bytes, processor_seconds, sleepers
from tests.integration.processes import children
from tests.search.executors.jobs import jobs
from trainables.trial import Report

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore")]
"""Ray warns of files that it leaves open, which is not ours to mend."""

cluster_utils = pytest.importorskip("ray.cluster_utils")
ray_tune = pytest.importorskip("search.executors.ray_tune")
MODULES = {"ray_tune": ray_tune, "ray_train": pytest.importorskip("search.executors.ray_train")}
STORE = 80_000_000


@contextlib.contextmanager
def machines(count: int, cpus: int) -> Iterator[Any]:
    """A head without work and ``count`` nodes of ``cpus`` processors each."""
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": 0, "object_store_memory": STORE}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=cpus, object_store_memory=STORE)
        yield cluster
    finally:
        cluster.shutdown()


def trials_per_second(module: str, folder: Path, nodes: int, each: int, seconds: float) -> float:
    """Rate of warm sleepers, one per node at a time."""
    ends, left, cold = Ends(), iter(jobs(each * nodes)), 2 * nodes
    with machines(nodes, 1) as cluster:
        place = sleepers(folder, seconds, address=cluster.address)
        with MODULES[module].Executor(place) as executor:
            executor.run(lambda: next(left, None), ends.report, ends.outcome)
    # The last trials of a run wait for nothing, so the rate is taken while all nodes work.
    warm = ends.at[cold - 1 : -nodes]
    return (len(warm) - 1) / (warm[-1] - warm[0])


@pytest.mark.parametrize(("module", "sizes"), [("ray_tune", (1, 2, 4, 8)), ("ray_train", (1, 4))])
def test_efficiency_from_one_to_eight_nodes(module: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    seconds, rates = 2.0, {}
    for nodes in sizes:
        rates[nodes] = trials_per_second(module, tmp_path / str(nodes), nodes, each=12, seconds=seconds)
        print(
            f"{module}, {nodes} node(s): {rates[nodes]:.3f} trials/s of {seconds:g} s, "
            f"{rates[nodes] * seconds / nodes:.1%} of the ideal, "
            f"{rates[nodes] / nodes / rates[sizes[0]]:.1%} of one node's rate a node"
        )
    assert rates[sizes[-1]] / sizes[-1] / rates[sizes[0]] >= 0.9


CONFIG = """
name: scale
data: {{source: digits}}
space: {{name: tiny, restrict: {{architecture.resolution: [8]}}}}
search: {{trials: {trials}, initial: 24, batch: 8, epochs: 2}}
"""


class Anything:
    """Proposes at random: what is measured is all but the sampler, which has a benchmark of its own."""

    def __init__(self, setting: Setting) -> None:
        self._problem, self._rng = setting.problem, np.random.default_rng(0)

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        return sample_within(self._problem, n, self._rng)


class Listening:
    """Keeps what the driver has used after every thousandth trial."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, float, float, int]] = []
        self.ended_trials = 0

    def reported(self, record: Record, report: Report) -> None:
        pass

    def ended(self, record: Record) -> None:
        self.ended_trials += 1
        if self.ended_trials % 1000 == 0 or self.ended_trials == 100:
            self.mark()

    def mark(self) -> None:
        kibibytes = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024
        self.marks.append((self.ended_trials, time.monotonic(), time.process_time(), kibibytes))

    def show(self, ideal: float) -> None:
        for (n0, wall0, cpu0, _), (n1, wall1, cpu1, memory) in zip(self.marks, self.marks[1:], strict=False):
            made = n1 - n0
            print(
                f"  trials {n0} to {n1}: {made / (wall1 - wall0):.2f} a second (ideal {ideal:.2f}), driver "
                f"{1e3 * (cpu1 - cpu0) / made:.1f} CPU ms a trial, {memory / 1024:.0f} MiB"
            )


def stage1(folder: Path, trials: int) -> tuple[Stage1, Trials, Listening]:
    setting = prepare(parse(CONFIG.format(trials=trials)).model_copy(update={"runs": str(folder)}))
    setting.config.folder.mkdir(parents=True)
    storage = open_storage(setting.config.folder, None)
    study = Study(name="scale", storage=storage, space=setting.space, create=True)
    listening = Listening()
    held = Trials(setting, study, listening)
    believe: Callable[[Observations, Codes], list[tuple[float, float]]] = lambda known, codes: [(0.5, 0.1)] * len(codes)  # noqa: E731
    return Stage1(held, Anything(setting), believe, lambda round_, observed: None), held, listening


def test_the_driver_alone(tmp_path: Path) -> None:
    """Study, stopping rule and rounds of 3,000 trials that end at once: its cost a trial must not grow."""
    stage, held, listening = stage1(tmp_path, 3000)
    place = sleepers(tmp_path, 0.0)
    listening.mark()
    while (job := stage.next_job()) is not None:
        reports = tuple(item for item in place.work(job) if isinstance(item, Report))
        held.ended(Outcome(number=job.number, reports=reports))
    listening.show(float("inf"))


def test_ten_thousand_trials(tmp_path: Path) -> None:
    trials = int(os.environ.get("NARS_TRIALS", 10_000))
    nodes, cpus, seconds = 4, int(os.environ.get("NARS_CPUS", 10)), 2.0
    stage, held, listening = stage1(tmp_path, trials)
    with machines(nodes, cpus) as cluster:
        place = sleepers(tmp_path / "run", seconds, address=cluster.address)
        with ray_tune.Executor(place) as executor:
            listening.mark()
            before = processor_seconds()
            executor.run(stage.next_job, held.reported, held.ended)
            workers = [pid for pid, words in children(os.getpid()) if words.startswith("ray::ImplicitFunc")]
            each = [private_bytes(pid) / 2**20 for pid in workers]
            spent = (processor_seconds() - before) / trials
    print(f"{trials} trials of {seconds:g} s, {nodes * cpus} at a time; all processes {1e3 * spent:.0f} CPU ms a trial")
    if each:
        print(f"  {len(each)} trial processes of {np.median(each):.0f} MiB (median, not shared)")
    listening.show(nodes * cpus / seconds)
    assert len(held.records) == trials
    assert all(record.is_finished for record in held.records.values())
