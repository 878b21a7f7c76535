"""Final trainings as tasks of a real Ray: one that fails leaves the others, and one whose process is lost goes on."""

import os
import signal
from pathlib import Path

import pytest

from tests.processes import children
from tests.search.executors.jobs import Finals, family, finals_of, jobs, place
from trainables.final.jobs import FinalJob
from trainables.job import Report

pytestmark = [pytest.mark.nightly, pytest.mark.filterwarnings("ignore")]
"""Ray warns of files that it leaves open, which is not ours to mend."""

ray_tune = pytest.importorskip("search.executors.ray_tune")


def test_final_trainings_under_ray_tune(tmp_path: Path) -> None:
    candidates = [job.candidate for job in jobs(3)]
    with ray_tune.Executor(place(tmp_path, retries=1)) as executor:
        assert [node["NodeManagerAddress"] for node in ray_tune.ray.nodes()] == ["127.0.0.1"]
        finals = finals_of(executor, family(candidates))
        killed = Killed()
        long = FinalJob(name="long", candidate=candidates[0], epochs=3, seed=0)
        executor.train([long], killed.report, killed.fail)
    assert finals.epochs == {"paused": [1], "whole": [1]}
    assert {name: failure.message for name, failure in finals.failures.items()} == {"broken": "ValueError: a <= 0"}
    assert "mixup.py" in str(finals.failures["broken"].trace)
    assert killed.pids, "no process was killed"
    assert sorted(set(killed.epochs["long"])) == [1, 2, 3]
    assert killed.epochs["long"][-1] == 3
    assert not killed.failures


class Killed(Finals):
    """Kills the process of a training after its first report."""

    def __init__(self) -> None:
        super().__init__()
        self.pids: list[int] = []

    def report(self, name: str, report: Report) -> None:
        if not self.pids:
            self.pids += [pid for pid, words in children(os.getpid()) if words.startswith("ray::_finish")]
            for pid in self.pids:
                os.kill(pid, signal.SIGKILL)
        super().report(name, report)
