"""Many trials on a Ray of several simulated machines: sleepers through the executor, and through stage 1 and its study.

The machines are processes on this one and say that they have more processors than it has; sleepers need none.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.driver import stage1
from tests.benchmarks.sleepers import Ends, private_bytes, processor_seconds, sleepers
from tests.integration.machines import machines
from tests.processes import children
from tests.search.executors.jobs import jobs

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore")]
"""Ray warns of files that it leaves open, which is not ours to mend."""

ray_tune = pytest.importorskip("search.executors.ray_tune")
MODULES = {"ray_tune": ray_tune, "ray_train": pytest.importorskip("search.executors.ray_train")}


def warm_rate(module: str, folder: Path, nodes: int, each: int, seconds: float) -> tuple[float, float]:
    """Sleepers a second, one per node at a time, and processors busy, while all nodes work.

    That is from the last start of a node to the first that idles.
    """
    ends, left = Ends(), iter(jobs(each * nodes))
    with machines(nodes, 1) as cluster:
        place = sleepers(folder, seconds, address=cluster.address)
        with MODULES[module].Executor(place) as executor:
            executor.run(lambda: next(left, None), ends.report, ends.outcome)
    started = place.first_trials()
    assert len(started) == nodes
    # A first trial also loads what it needs, so it does not count.
    first = int(np.searchsorted(ends.at, started[-1] + 2 * seconds))
    last = len(ends.at) - nodes - 1
    wall, processor = (series[last] - series[first] for series in (ends.at, ends.processor))
    return (last - first) / wall, processor / wall


@pytest.mark.parametrize(("module", "sizes"), [("ray_tune", (1, 2, 4, 8)), ("ray_train", (1, 8))])
def test_efficiency_from_one_to_eight_nodes(module: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    seconds, rates = 2.0, {}
    for nodes in sizes:
        rates[nodes], busy = warm_rate(module, tmp_path / str(nodes), nodes, each=20, seconds=seconds)
        print(
            f"{module}, {nodes} node(s): {rates[nodes]:.3f} trials/s of {seconds:g} s, "
            f"{rates[nodes] * seconds / nodes:.1%} of the ideal, "
            f"{rates[nodes] / nodes / rates[sizes[0]]:.1%} of one node's rate a node; "
            f"{busy:.2f} of {os.cpu_count()} processors busy",
            flush=True,
        )
    assert rates[sizes[-1]] / sizes[-1] / rates[sizes[0]] >= 0.9


def test_ten_thousand_trials(tmp_path: Path) -> None:
    """Shorter than what the driver spends on a trial, so that the rate is the driver's.

    Longer ones at a higher number at a time need as many processes, each with torch loaded, which this machine has not.
    """
    trials = int(os.environ.get("NARS_TRIALS", 10_000))
    nodes, cpus, seconds = 4, int(os.environ.get("NARS_CPUS", 1)), float(os.environ.get("NARS_SECONDS", 0.02))
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
    print(f"  ideally {1e3 * seconds / (nodes * cpus):.0f} ms a trial in all")
    listening.per_trial()
    assert len(held.by_number) == trials
    assert all(record.is_finished for record in held.by_number.values())
