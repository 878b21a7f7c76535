"""What the driver spends on a trial without Ray: study, rounds and stopping rule, as the study grows."""

from pathlib import Path

import pytest

from search.executors.work import Outcome
from tests.benchmarks.driver import stage1
from tests.benchmarks.sleepers import sleepers
from trainables.job import Report

pytestmark = pytest.mark.benchmark


def test_the_driver_alone(tmp_path: Path) -> None:
    """Study, stopping rule and rounds of 3,000 trials that end at once: its cost a trial must not grow."""
    stage, held, listening = stage1(tmp_path, 3000)
    place = sleepers(tmp_path, 0.0)
    listening.mark()
    while (job := stage.next_job()) is not None:
        reports = tuple(item for item in place.work(job) if isinstance(item, Report))
        held.ended(Outcome(number=job.number, reports=reports))
    _, early, _, late = listening.per_trial()
    assert late < 1.5 * early
