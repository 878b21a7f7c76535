"""A private Ray beside another one on the same machine; what is measured before the first trial; what is printed."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.executors.work import PlacementError, Probe
from tests.integration.machines import Machines, machines
from tests.places import ROOT
from tests.processes import children
from tests.runs import command, configuration, facts
from tests.search.executors.jobs import carry_out, jobs, place
from trainables.training.trial import Task

pytestmark = [pytest.mark.nightly, pytest.mark.filterwarnings("ignore")]
"""Ray warns of files that it leaves open, which is not ours to mend."""

ray_cluster = pytest.importorskip("search.executors.ray_cluster")
ray_tune = pytest.importorskip("search.executors.ray_tune")
MEMORY = 3 * 2**30


@pytest.fixture(scope="module")
def other() -> Iterator[Machines]:
    """Somebody's Ray: a head without work and a machine of eight processors and 3 GiB, below this process."""
    with machines(1, 8, memory=MEMORY) as started:
        yield started


def servers() -> set[int]:
    """The cluster's state server and the head of each machine, below this process."""
    processes = children(os.getpid())
    return {pid for pid, words in processes if words.split(" ")[0].endswith(("/gcs_server", "/raylet"))}


def test_a_private_ray_runs_a_search_touches_nothing_of_another_and_prints_nothing(
    other: Machines, tmp_path: Path
) -> None:
    """Trials under Ray Tune, final trainings on two workers of Ray Train."""
    mark = Path(ray_cluster.ray._private.utils.get_ray_address_file(None))
    # Ray's name for "the cluster here", by which users of the other one find it.
    before = mark.read_text(), servers(), other.cluster.global_state.job_table()
    assert before[0] == other.address
    assert len(before[1]) == 3
    small = {"trials": "5, initial: 3, batch: 2", "budgets": "[60k]", "tracking": "true"}
    file = configuration(tmp_path, "private", executor="ray_tune", workers=2, **small)
    environment = {**os.environ, "RAY_ADDRESS": other.address, "HOME": str(tmp_path)}
    done = subprocess.run(command("run", file), cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert (mark.read_text(), servers(), other.cluster.global_state.job_table()) == before
    assert done.stderr == ""
    assert not re.search(r"\b(Ray|raylet|Tune|pid=|INFO|WARNING)\b", done.stdout), done.stdout
    run = tmp_path / "runs" / "private"
    outcome, log = facts(run), (run / "search.log").read_text()
    assert [trial[0] for trial in outcome["trials"]] == list(range(len(outcome["trials"])))
    assert {trial[1] for trial in outcome["trials"]} <= {"complete", "pruned"}
    assert all(len(re.findall(rf" trial {trial[0]}, ", log)) == 1 for trial in outcome["trials"])
    assert outcome["members"]
    assert (run / "mlflow.db").exists()


def test_measured_memory_bounds_the_trials_and_nothing_is_in_the_runs_folder(other: Machines, tmp_path: Path) -> None:
    work = jobs(3)
    probe = Probe(tasks=tuple(Task(candidate=j.candidate, epochs=2, seed=0) for j in work), gpus=False, memory=True)
    with ray_tune.Executor(
        place(tmp_path / "run", address=other.address, probe=probe, checkpoints=f"file://{tmp_path}/kept")
    ) as executor:
        measured = executor.place
        assert measured.probe is None
        assert 100e6 < measured.memory < MEMORY
        assert ray_cluster.room(measured) == min(8, MEMORY // measured.memory)
        assert set(carry_out(executor, work).outcomes) == {0, 1, 2}
    assert not (tmp_path / "run").exists(), "a machine needs more than the storage at run.checkpoints"
    assert (tmp_path / "kept" / "ray").exists()


def test_memory_that_no_machine_has_is_one_sentence(other: Machines, tmp_path: Path) -> None:
    sentence = r"needs 1 CPU, 3\.73 GiB memory, but the cluster has .*1 machine of 8 CPU, 3 GiB memory"  # in any order
    with pytest.raises(PlacementError, match=sentence):
        ray_tune.Executor(place(tmp_path, address=other.address, memory=4_000_000_000)).__enter__()
