"""Trials as they are read, also from a study that earlier code wrote (``earlier.journal``)."""

import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from search.record.storage import JOURNAL, open_storage
from search.record.study import Study
from search.record.trial import Trial, study_digest
from spaces import tiny
from tests.places import ROOT
from tests.search.products import records
from trainables.counting.counts import Statistics
from trainables.job import Report

EARLIER = Path(__file__).with_name("earlier.journal")
DIGEST = "1fe33ceeb84f545b99407ca3cc639ffe9f9091267a5b926f18f8426bde1900b6"
"""Of its ended trials, by the code that wrote it."""


def earlier(folder: Path) -> Study:
    shutil.copy(EARLIER, folder / JOURNAL)
    return Study(name="old", storage=open_storage(folder, None), space=tiny.space(), create=False)


def reports(count: int) -> tuple[Report, ...]:
    return tuple(Report(epoch=e, accuracy=0.1 * e + 0.013, loss=2.0 / e, seconds=1.5 * e) for e in range(1, count + 1))


def test_an_earlier_study_is_read(tmp_path: Path) -> None:
    study = earlier(tmp_path)
    trials = study.trials()
    assert [trial.state for trial in trials] == ["complete", "pruned", "fail", "running", "waiting"]
    assert [trial.purpose for trial in trials] == ["search"] * 4 + ["repeat"]
    assert [trial.round for trial in trials] == [0, 0, 0, 1, 1]
    assert [trial.reports for trial in trials] == [reports(3), reports(2), reports(1), (), ()]
    assert [trial.predicted for trial in trials] == [None, None, None, (0.53, 0.05), (0.54, 0.05)]
    assert [(trial.epochs, trial.stop, trial.seed) for trial in trials] == [
        (3, 2 if number == 1 else 3, 100 + number) for number in range(5)
    ]
    assert trials[1].statistics == Statistics(macs=1001, params=21, activations=31, resolution=8)
    assert str(trials[2].message).startswith("the training loss is nan in epoch 2")
    assert isinstance(trials[0].started, datetime)
    assert isinstance(trials[0].finished, datetime)
    space = tiny.space()
    assert space.decode(space.encode([trial.candidate for trial in trials])) == [trial.candidate for trial in trials]
    assert (space.encode([trial.candidate for trial in trials]) == [trial.codes_D for trial in trials]).all()
    assert study.notes["round.1"] == {"tau": 0.5}


def test_the_digest_of_an_earlier_study_is_the_same(tmp_path: Path) -> None:
    assert study_digest(trial for trial in earlier(tmp_path).trials() if trial.is_finished) == DIGEST


def test_an_earlier_study_goes_on(tmp_path: Path) -> None:
    study = earlier(tmp_path)
    study.finish(3, reports(3))
    study.start(4)
    study.finish(4, reports(3))
    assert [trial.state for trial in study.trials()][3:] == ["complete", "complete"]
    again = Study(name="old", storage=open_storage(tmp_path, None), space=tiny.space(), create=False)
    assert [trial.score for trial in again.trials()] == [reports(3)[-1].accuracy, reports(2)[-1].accuracy, None] + [
        reports(3)[-1].accuracy
    ] * 2


def test_the_digest_sees_scores_and_not_the_order_of_arrival() -> None:
    trials: list[Trial] = records()
    assert study_digest(trials) == study_digest(reversed(trials))
    assert study_digest(trials) != study_digest(records(seed=1))
    assert study_digest(trials) != study_digest(trials[:-1])


def test_a_worker_needs_neither_optuna_nor_pandas_nor_sqlalchemy() -> None:
    code = "import sys, search.executors.work; print(sorted({'optuna', 'pandas', 'sqlalchemy'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert loaded.strip() == "[]"
