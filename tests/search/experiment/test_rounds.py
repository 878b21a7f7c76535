"""Rounds of trials: the same whatever ends first; of failed ones one sentence, and what is kept of each."""

import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from search.console.progress import Progress
from search.executors.work import LATER, Outcome
from search.experiment.rounds import Stage1
from search.experiment.running import Silent
from search.experiment.trials import Trials
from search.problem.problem import Observations
from search.record.storage import open_storage
from search.record.study import Study
from search.record.trial import Trial
from search.setting.beginning import Named, beginning_of
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.mistake import Mistake
from spaces.sampling import uniform
from spaces.space import Codes
from trainables.job import Job, Report

CONFIG = """
name: small
runs: {runs}
data: {{source: digits}}
space: {{name: tiny, restrict: {{architecture.resolution: [8, 12]}}}}
search: {{trials: 6, initial: 4, batch: 2, epochs: 2, predictor: gp, pretrain: 0}}
run: {{executor: serial}}
"""
REPORTS = tuple(Report(epoch=epoch, accuracy=0.5, loss=1.0, seconds=1.0) for epoch in (1, 2))


class Anything:
    """Proposes what depends on all that it is told, as a sampler does."""

    def __init__(self, setting: Setting) -> None:
        self._space = setting.space

    def propose(self, observed: Observations, pending_ND: Codes, n: int) -> Codes:
        told = zlib.crc32(observed.codes_ND.tobytes() + observed.score_N.tobytes() + pending_ND.tobytes())
        return uniform(self._space, n, np.random.default_rng(told))


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    setting = prepare(parse(CONFIG.format(runs=tmp_path)))
    setting.config.folder.mkdir(parents=True)
    return setting


def opened(
    setting: Setting, listener: Any, first: Sequence[Named] = (), ahead: int | None = 0, opening: int | None = None
) -> tuple[Stage1, Trials]:
    study = Study(name="small", storage=open_storage(setting.config.folder, None), space=setting.space, create=True)
    trials = Trials(setting, study, listener)
    believe: Callable[[Observations, Codes], Any] = lambda known, codes_ND: [(0.5, 0.1)] * len(codes_ND)  # noqa: E731
    return Stage1(trials, Anything(setting), first, believe, lambda number, observed: None, ahead, opening), trials


def log_of(setting: Setting) -> Path:
    return setting.config.folder / "search.log"


def listener(setting: Setting) -> Progress:
    return Progress((), Console(file=io.StringIO()), log=log_of(setting))


def failed(job: Job) -> Outcome:
    message = f"ValueError: bad {job.number}"
    return Outcome(number=job.number, reports=(), message=message, trace=f"Traceback\n  here\n{message}")


def play(stage: Stage1, trials: Trials, fails: Callable[[int], bool]) -> int:
    count = 0
    while (job := stage.next_job()) is not None:
        assert isinstance(job, Job)
        trials.ended(failed(job) if fails(job.number) else Outcome(number=job.number, reports=REPORTS))
        count += 1
    return count


def test_a_first_round_of_failures_is_one_sentence_with_the_first_cause(setting: Setting) -> None:
    stage, trials = opened(setting, listener(setting))
    sentence = r"all 4 trials of the first round failed, the first with: ValueError: bad 0; search\.log"
    with pytest.raises(Mistake, match=sentence) as caught:
        play(stage, trials, lambda number: True)
    assert "\n" not in str(caught.value)
    assert len(trials.by_number) == 4, "a second round was proposed"
    again, trials = opened(setting, listener(setting))
    with pytest.raises(Mistake, match=sentence):
        again.next_job()


def test_a_search_goes_on_while_one_trial_of_the_first_round_is_left(setting: Setting) -> None:
    stage, trials = opened(setting, listener(setting))
    assert play(stage, trials, lambda number: number != 2) == 6
    stage.check_first_round()
    assert [trial.state for trial in trials.of("search")] == ["fail", "fail", "complete", "fail", "fail", "fail"]


def test_a_round_that_still_runs_is_not_given_up(setting: Setting) -> None:
    stage, trials = opened(setting, listener(setting))
    jobs = [stage.next_job() for _ in range(4)]
    for job in jobs[:3]:
        assert isinstance(job, Job)
        trials.ended(failed(job))
    assert stage.next_job() is not None, "the last trial of the round may succeed"


def test_the_trace_of_a_failure_stands_in_the_study_and_the_log(setting: Setting) -> None:
    stage, trials = opened(setting, listener(setting))
    play(stage, trials, lambda number: number == 1)
    assert trials.by_number[1].trace == "Traceback\n  here\nValueError: bad 1"
    lines = log_of(setting).read_text(encoding="utf-8").splitlines()
    (at,) = (row for row, line in enumerate(lines) if "trial 1 failed" in line)
    assert lines[at].endswith("ValueError: bad 1")
    assert lines[at + 1 : at + 4] == ["    Traceback", "      here", "    ValueError: bad 1"]


def test_a_search_begins_with_what_it_is_given(setting: Setting) -> None:
    first = beginning_of(setting).first
    assert len(first) == 2
    stage, trials = opened(setting, listener(setting), first)
    assert play(stage, trials, lambda number: False) == 6
    search = trials.of("search")
    assert [trial.candidate for trial in search[:2]] == [one.candidate for one in first]
    assert [trial.origin for trial in search] == [*(one.name for one in first), *[None] * 4]
    assert [trial.round for trial in search] == [0, 0, 0, 0, 1, 1]
    assert len({trial.candidate for trial in search}) == 6
    assert f"({first[0].name})" in log_of(setting).read_text(encoding="utf-8")


def test_a_short_first_round_is_followed_by_batches(setting: Setting) -> None:
    """As where earlier searches choose the first candidates."""
    stage, trials = opened(setting, listener(setting), opening=3)
    assert play(stage, trials, lambda number: False) == 6
    assert [trial.round for trial in trials.of("search")] == [0, 0, 0, 1, 1, 2]


def test_a_short_first_round_of_failures_is_the_end(setting: Setting) -> None:
    stage, trials = opened(setting, listener(setting), opening=3)
    with pytest.raises(Mistake, match="all 3 trials of the first round failed"):
        play(stage, trials, lambda number: True)


def test_until_one_is_stopped_the_last_epochs_are_compared(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trials, "decisive_epoch", lambda self, known: 1)
    stage, trials = opened(setting, listener(setting), opening=3)
    curves = {number: (0.1 * number, 1 - 0.1 * number) for number in range(6)}
    shown = []
    while isinstance(job := stage.next_job(), Job):
        known = trials.of("search")
        shown.append(trials.scores([trial for trial in known if trial.is_finished], known))
        epochs = trials.by_number[job.number].stop
        reports = [Report(epoch=e, accuracy=curves[job.number][e - 1], loss=1.0, seconds=1.0) for e in range(1, 3)]
        trials.ended(Outcome(number=job.number, reports=tuple(reports[:epochs])))
    stops = [trial.stop for trial in trials.of("search")]
    assert stops[:4] == [2] * 4, "those of search.initial are trained in full"
    assert 1 in stops[4:]
    first_stopped = stops.index(1)
    assert shown[first_stopped] == [curves[number][1] for number in range(first_stopped)]
    every = trials.of("search")
    assert trials.scores(every, every) == [curves[number][0] for number in range(6)]


@pytest.mark.parametrize("recorded", [1, 2, 3])
def test_a_first_round_that_was_cut_off_goes_on_in_its_order(
    setting: Setting, recorded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = beginning_of(setting).first
    stage, trials = opened(setting, listener(setting), first)
    with monkeypatch.context() as patch:
        real = Study.add

        def add(study: Study, trial: Trial) -> Trial:
            if trial.number == recorded:
                raise KeyboardInterrupt
            return real(study, trial)

        patch.setattr(Study, "add", add)
        with pytest.raises(KeyboardInterrupt):
            stage.next_job()
    stage, trials = opened(setting, listener(setting), first)
    assert len(trials.by_number) == recorded
    play(stage, trials, lambda number: False)
    origins = [trial.origin for trial in trials.of("search")]
    assert origins == [*(one.name for one in first), *[None] * 4]
    assert [trial.candidate for trial in trials.of("search")[:2]] == [one.candidate for one in first]


def test_trials_that_had_not_ended_are_handed_out_again(setting: Setting) -> None:
    stage, _ = opened(setting, listener(setting))
    begun = [job.number for _ in range(3) if isinstance(job := stage.next_job(), Job)]
    assert begun == [0, 1, 2]
    stage, trials = opened(setting, listener(setting))
    assert play(stage, trials, lambda number: False) == 6
    assert all(trial.is_finished for trial in trials.by_number.values())


def play_together(folder: Path, order: int, ahead: int | None) -> tuple[list[str], int]:
    """Three trials at a time, ending in a drawn order: the keys of the candidates, and how often a place was free."""
    longer = CONFIG.replace("trials: 6", "trials: 14")
    setting = prepare(parse(longer.format(runs=folder)))
    setting.config.folder.mkdir(parents=True)
    stage, trials = opened(setting, Silent(), ahead=ahead)
    rng, running, free = np.random.default_rng(order), list[Job](), 0
    while True:
        job = stage.next_job() if len(running) < 3 else LATER
        if isinstance(job, Job):
            running.append(job)
            continue
        if job is LATER and len(running) < 3:
            free += 1
        if not running:
            return [trial.candidate.key for trial in trials.of("search")], free
        ended = running.pop(rng.integers(len(running)))
        reports = [Report(epoch=e, accuracy=ended.seed % 97 / 97, loss=1.0, seconds=1.0) for e in (1, 2)]
        trials.ended(Outcome(number=ended.number, reports=tuple(reports)))


def test_what_is_proposed_does_not_depend_on_which_trial_ends_first(tmp_path: Path) -> None:
    runs = [play_together(tmp_path / str(order), order, ahead=2) for order in range(6)]
    assert len({tuple(keys) for keys, _ in runs}) == 1
    assert max(free for _, free in runs) > 0
    as_they_end = [play_together(tmp_path / f"as-{order}", order, ahead=None) for order in range(6)]
    assert len({tuple(keys) for keys, _ in as_they_end}) > 1
    assert max(free for _, free in as_they_end) == 0
