from dataclasses import replace

import pytest

from search.family.members import Family
from search.record.storage import open_storage
from search.record.study import Study
from search.report.gather import gather
from search.setting.config import parse
from search.setting.device import Device
from search.setting.setting import prepare
from tests.search.record.waiting import waiting
from trainables.job import Report


@pytest.fixture
def setting(tmp_path):
    return prepare(parse(f"name: toy\nruns: {tmp_path}\nsearch: {{epochs: 9}}"))


@pytest.fixture
def study(setting, tmp_path):
    return Study(name="toy", storage=open_storage(tmp_path, None), space=setting.space, create=True)


def test_the_cost_of_trials_follows_from_their_epochs(setting, study, tmp_path):
    study.start(study.add(waiting(setting.space, 0, epochs=9)).number)
    reports = tuple(Report(epoch=epoch, accuracy=0.5, loss=1.0, seconds=float(epoch)) for epoch in (1, 2, 3))
    study.finish(0, reports, None)
    trials = gather(setting, study, Family(members=()), tmp_path, tmp_path / "report.html").trials
    assert trials["images"].tolist() == trials["passes"].tolist() == [3 * len(setting.splits.train)]


def test_a_run_limited_by_latency_says_that_it_is_predicted(setting, study, tmp_path):
    assert gather(setting, study, Family(members=()), tmp_path, tmp_path / "report.html").notices == ()
    phone = Device(name="a phone", model=None, measured=64, relative_error=0.0512)
    (notice,) = gather(
        replace(setting, device=phone), study, Family(members=()), tmp_path, tmp_path / "report.html"
    ).notices
    assert notice == phone.describe()
    for words in ("predicted", "a phone", "64", "5.1%"):
        assert words in notice
