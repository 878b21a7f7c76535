"""The regret rule in a study: made curves in place of training, killed and taken up again."""

import numpy as np
import pytest

from search.executors.work import Outcome
from search.experiment.rounds import Stage1
from search.experiment.running import Silent
from search.experiment.trials import Trials
from search.record.storage import open_storage
from search.record.study import Study
from search.setting.config import parse
from search.setting.setting import prepare
from search.stopping.at_work import audited
from spaces.sampling import uniform
from trainables.job import Report

CONFIG = """
name: small
runs: {runs}
data: {{source: digits}}
space: {{name: tiny, restrict: {{architecture.resolution: [8, 12]}}}}
search: {{trials: 40, initial: 16, batch: 8, epochs: 12, predictor: gp, pretrain: 0, stopping: regret, audit: {audit}}}
family: {{max_macs: [60k, 200k]}}
run: {{executor: serial}}
"""


class Random:
    """Proposals that depend on what was observed, as a sampler's do."""

    def __init__(self, problem):
        self._problem = problem

    def propose(self, observed, pending_ND, n):
        seed = int.from_bytes(observed.score_N.tobytes()[-8:], "little") % 2**32
        return uniform(self._problem.space, n, np.random.default_rng(seed))


class Killed(Exception):
    pass


def curve(job):
    """A learning curve that depends on the trial's seed alone."""
    rng = np.random.default_rng(job.seed)
    final, speed = rng.uniform(0.3, 0.95), rng.uniform(0.2, 0.8)
    return final * (1 - np.exp(-speed * np.arange(1, job.epochs + 1)))


def carry_on(folder, setting, reports_until_killed=10**9):
    """What the serial executor does, without training."""
    study = Study(name="small", storage=open_storage(folder, None), space=setting.space, create=True)
    trials = Trials(setting, study, Silent())
    believe = lambda _, codes_ND: [(0.5, 0.1)] * len(codes_ND)  # noqa: E731
    stage = Stage1(trials, Random(setting.problem), (), believe, lambda *_: None)
    count = 0
    while (job := stage.next_job()) is not None:
        reports = []
        for epoch, accuracy in enumerate(curve(job), start=1):
            count += 1
            if count > reports_until_killed:
                raise Killed
            reports.append(Report(epoch=epoch, accuracy=float(accuracy), loss=1.0, seconds=1.0))
            if not trials.reported(job.number, reports[-1]):
                break
        trials.ended(Outcome(number=job.number, reports=tuple(reports)))
    return trials


def facts(trials):
    return [(r.number, r.state, r.candidate.key, len(r.reports)) for r in trials.of("search")]


@pytest.fixture
def setting(tmp_path):
    return prepare(parse(CONFIG.format(runs=tmp_path, audit=0)))


def test_a_killed_search_makes_the_same_decisions(tmp_path, setting):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    undisturbed = carry_on(tmp_path / "a", setting)
    for moment in (60, 50, 20):
        with pytest.raises(Killed):
            carry_on(tmp_path / "b", setting, moment)
    assert facts(carry_on(tmp_path / "b", setting)) == facts(undisturbed)


def test_stopped_trials_are_pruned_with_their_curve_and_scored_at_the_end_of_the_schedule(tmp_path, setting):
    trials = carry_on(tmp_path, setting)
    records = trials.of("search")
    stopped = [record for record in records if record.state == "pruned"]
    assert len(stopped) > 10
    assert all(0 < len(record.reports) < 12 for record in stopped)
    told = dict(zip([r.number for r in records], trials.observations(records).score_N, strict=True))
    true = {record.number: curve(record.job)[-1] for record in records}
    for record in records:
        if record.state == "complete":
            assert told[record.number] == pytest.approx(true[record.number])
    seen = np.mean([abs(record.reports[-1].accuracy - true[record.number]) for record in stopped])
    assert np.mean([abs(told[record.number] - true[record.number]) for record in stopped]) < 0.7 * seen
    assert trials.decisive_epoch(records) == 12


def test_audited_trials_run_in_full(tmp_path):
    setting = prepare(parse(CONFIG.format(runs=tmp_path, audit=0.3)))
    records = carry_on(tmp_path, setting).of("search")
    chosen = [record for record in records if audited(setting.config.seed, record.number, 0.3)]
    assert 4 < len(chosen) < 24
    assert all(record.state == "complete" for record in chosen)
    assert any(record.state == "pruned" for record in records)
