"""A run of which a part fails."""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from search.__main__ import main
from search.console.progress import Progress
from search.executors.protocol import Executor
from search.executors.work import Outcome
from search.experiment import experiment
from search.experiment.experiment import Experiment
from search.experiment.warm_start import write_earlier
from search.family.members import is_complete, load_family
from search.record.storage import open_storage
from search.record.study import Study
from search.setting.beginning import Beginning
from search.setting.config import parse
from search.setting.prior import prior_of
from search.setting.setting import Setting, prepare
from tests.search.record.waiting import waiting
from trainables.final import jobs
from trainables.job import Report
from trainables.training.trial import Task, TrialFailed

pytestmark = pytest.mark.usefixtures("no_graphs", "no_pictures")

CONFIG = """
name: small
runs: RUNS
data: {source: digits, validation: 0.3, test: 0.4}
space:
  name: tiny
  restrict: {architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}
search: {trials: 4, initial: 3, batch: 1, epochs: 1, pretrain: 0, predictor: gp, watched: rank_by_macs, prior: none}
family: {max_macs: [30k, 100k], contenders: 1, repeats: 0, epochs: 1, teachers: 0}
run: {executor: serial}
tracking: {enabled: false}
"""


@pytest.mark.slow
def test_a_final_training_that_failed_is_told_and_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.replace("RUNS", str(tmp_path)))
    run, family = tmp_path / "small", tmp_path / "small" / "family"
    failing: set[str] = set()
    real = jobs.trial

    def trial(task: Task, *arguments: Any, **options: Any) -> Iterator[Report]:
        if task.candidate.key in failing or not failing:
            failing.add(task.candidate.key)
            raise TrialFailed("the training loss is nan")
        yield from real(task, *arguments, **options)

    monkeypatch.setattr(jobs, "trial", trial)
    assert main(["run", str(tmp_path / "config.yaml")]) == 0
    assert [member.name for member in load_family(family).members] == ["member-1"]
    (sentence,) = load_family(family).failures
    for words in (*failing, "final training of budget 30k (", "failed: the training loss is nan"):
        assert words in sentence
    for text in (capsys.readouterr().out, (run / "search.log").read_text(), (run / "report.html").read_text()):
        assert sentence.replace("'", "&#39;") in text or sentence in text
    assert not is_complete(family)

    monkeypatch.setattr(jobs, "trial", real)
    assert main(["resume", str(run)]) == 0
    assert is_complete(family)
    assert "failed:" not in (run / "report.html").read_text()
    trained = {path.name.split("-")[0] for path in (run / "final").iterdir() if path.stat().st_size}
    assert failing < trained


def test_a_run_without_any_network_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.replace("RUNS", str(tmp_path)))

    def trial(task: Task, *arguments: Any, **options: Any) -> Iterator[Report]:
        raise TrialFailed("the training loss is nan")

    monkeypatch.setattr(jobs, "trial", trial)
    assert main(["run", str(tmp_path / "config.yaml")]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    for words in ("no final training ended", "the training loss is nan", "python -m search resume"):
        assert words in last
    assert not (tmp_path / "small" / "family" / "family.json").exists()


def begun(setting: Setting, study: Study) -> Beginning:
    return Experiment(setting, study, Progress((), Console(file=io.StringIO())))._begin()


def test_what_a_search_begins_with_is_settled_before_its_first_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = prepare(parse(CONFIG.replace("RUNS", str(tmp_path))))
    setting.config.folder.mkdir(parents=True)
    study = Study(name="small", storage=open_storage(tmp_path, None), space=setting.space, create=True)
    beginning = begun(setting, study)
    assert len(beginning.first) == 1
    assert len(beginning.beside) == 1, "of that restricted space, one network is the largest for both budgets"
    monkeypatch.setattr(experiment, "beginning_of", lambda setting: pytest.fail("it was asked again"))
    study.add(waiting(setting.space, 0))
    assert begun(setting, study) == beginning


def test_a_study_that_was_begun_without_references_stays_so(tmp_path: Path) -> None:
    setting = prepare(parse(CONFIG.replace("RUNS", str(tmp_path))))
    setting.config.folder.mkdir(parents=True)
    study = Study(name="small", storage=open_storage(tmp_path, None), space=setting.space, create=True)
    study.add(waiting(setting.space, 0))
    assert begun(setting, study) == Beginning()
    assert "beginning" not in study.notes


@pytest.mark.parametrize(
    ("known", "room", "rounds"), [(1000, 1, [6, 4, 2]), (1000, 8, [8, 4]), (4, 1, [10, 2]), (0, 1, [10, 2])]
)
def test_where_earlier_trainings_choose_the_first_round_is_short(
    tmp_path: Path, known: int, room: int, rounds: list[int]
) -> None:
    """Of ten first trials two are references and four the earlier trainings' choice; but no place stays free."""
    text = CONFIG.replace("RUNS", str(tmp_path)).replace(
        "trials: 4, initial: 3, batch: 1", "trials: 12, initial: 10, batch: 4"
    )
    text = text.replace("prior: none", "prior: auto").replace("[30k, 100k]", "[30k, 100k, 200k]")
    text = text.replace(", architecture.depth.0: [1], architecture.depth.1: [1]", "")
    config = parse(text)
    setting = prepare(config)
    config.folder.mkdir(parents=True)
    tables = prior_of(config, setting.space).tables[:1] if known else ()
    few = [replace(one, params=one.params[:known], scores=one.scores[:known]) for one in tables]
    write_earlier(config.folder, few)
    study = Study(name="small", storage=open_storage(tmp_path, None), space=setting.space, create=True)
    search = Experiment(setting, study, Progress((), Console(file=io.StringIO())))
    search._beginning = search._begin()
    search._stage1(cast(Executor, AtOnce(room)))
    search.close()
    assert len(search._beginning.first) == 2
    assert list(Counter(trial.round for trial in study.trials()).values()) == rounds


class AtOnce:
    """Ends each trial with an accuracy of its number."""

    def __init__(self, room: int) -> None:
        self.room = room

    def run(self, next_job: Any, on_report: Any, on_outcome: Any) -> None:
        while (job := next_job()) is not None:
            accuracy = 0.5 + job.number % 7 / 20
            on_outcome(Outcome(number=job.number, reports=(Report(epoch=1, accuracy=accuracy, loss=1.0, seconds=1.0),)))
