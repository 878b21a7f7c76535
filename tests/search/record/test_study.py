import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from search.record.storage import JOURNAL, NoStudy, open_storage
from search.record.study import Study
from search.record.trial import Trial
from spaces import pretraining, tiny
from spaces.candidate import Candidate
from spaces.sampling import uniform
from spaces.space import Codes, Space
from tests.search.record.waiting import waiting
from trainables.job import Report

SPACE = tiny.space()


def opened(folder: Path, create: bool = True) -> Study:
    return Study(name="s", storage=open_storage(folder, None), space=SPACE, create=create)


def new(number: int) -> Trial:
    return waiting(SPACE, number, stop=1)


def report(epoch: int) -> Report:
    return Report(epoch=epoch, accuracy=0.5 + epoch / 10, loss=1.0, seconds=2.0)


def test_a_reopened_study_holds_what_was_recorded(tmp_path: Path) -> None:
    study = opened(tmp_path)
    added = [study.add(new(number)) for number in range(4)]
    study.start(0)
    study.finish(0, (report(1),))
    study.finish(1, (report(1), report(2)))
    study.start(2)
    study.finish(2, (), "loss is nan")
    study.note("round.1", {"tau": 0.5})
    again = opened(tmp_path, create=False)
    trials = again.trials()
    assert [trial.state for trial in trials] == ["pruned", "complete", "fail", "waiting"]
    assert [trial.candidate for trial in trials] == [trial.candidate for trial in added]
    assert trials[1].reports == (report(1), report(2))
    assert trials[2].message == "loss is nan"
    assert again.notes["round.1"] == {"tau": 0.5}
    assert again.optuna.trials[1].params == {
        **{f"architecture.{key}": value for key, value in trials[1].candidate.architecture.items()},
        **{f"recipe.{key}": value for key, value in trials[1].candidate.recipe.items()},
    }


def test_the_score_has_a_name_written_once(tmp_path: Path) -> None:
    study = opened(tmp_path)
    assert study.optuna.metric_names == ["accuracy on search-validation"]
    opened(tmp_path, create=False)
    opened(tmp_path)
    assert (tmp_path / JOURNAL).read_text().count("metric_names") == 1


def test_codes_stay_with_their_trials_and_are_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    encode = Space.encode

    def counted(space: Space, candidates: Sequence[Candidate]) -> Codes:
        calls.append(len(candidates))
        return encode(space, candidates)

    monkeypatch.setattr(Space, "encode", counted)
    study = opened(tmp_path)
    added = [study.add(new(number)) for number in range(3)]
    study.finish(0, (report(1),))
    assert [trial.codes_D.tolist() for trial in study.trials()] == [trial.codes_D.tolist() for trial in added]
    assert sum(calls) == 0
    again = opened(tmp_path, create=False)
    for trials in (again.trials(), again.trials()):
        assert [trial.codes_D.tolist() for trial in trials] == [trial.codes_D.tolist() for trial in added]
    assert [count for count in calls if count] == [3]


def test_a_study_without_a_space_is_only_read(tmp_path: Path) -> None:
    opened(tmp_path).add(new(0))
    study = Study(name="s", storage=open_storage(tmp_path, None), space=None, create=False)
    (trial,) = study.trials()
    assert (trial.candidate, trial.codes_D.shape) == (new(0).candidate, (0,))
    with pytest.raises(ValueError, match="without a space"):
        study.add(new(1))


def test_trials_are_added_by_their_numbers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trial 1 cannot be added to a study of 0 trials"):
        opened(tmp_path).add(new(1))


def test_a_trial_ends_once(tmp_path: Path) -> None:
    study = opened(tmp_path)
    study.add(new(0))
    study.finish(0, (report(1),))
    assert study.finish(0, (report(1), report(2))).reports == (report(1),)


def test_starting_and_ending_take_one_write_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, synced = opened(tmp_path), []
    monkeypatch.setattr(os, "fsync", synced.append)
    study.add(new(0))
    assert len(synced) == 1
    study.start(0)
    assert len(synced) == 2
    study.finish(0, (report(1),))
    assert len(synced) == 3
    study.add(new(1))
    study.finish(1, (report(1),), "no memory")
    assert len(synced) == 5
    first, second = opened(tmp_path, create=False).trials()
    assert (first.reports, second.message) == ((report(1),), "no memory")


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    opened(tmp_path).add(new(0))
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + b'{"op_code": 4, "wor')
    study = opened(tmp_path, create=False)
    study.add(new(1))
    assert len(opened(tmp_path, create=False).trials()) == 2


def test_a_trace_is_kept_with_its_message_in_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, synced = opened(tmp_path), []
    study.add(new(0))
    monkeypatch.setattr(os, "fsync", synced.append)
    study.finish(0, (), "ValueError: bad", "line 1\nValueError: bad")
    assert len(synced) == 1
    (trial,) = opened(tmp_path, create=False).trials()
    assert (trial.message, trial.trace) == ("ValueError: bad", "line 1\nValueError: bad")


def test_a_missing_study_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoStudy, match="no study 's'"):
        opened(tmp_path, create=False)


def test_a_study_of_a_joined_space_holds_every_role(tmp_path: Path) -> None:
    joined = pretraining.space()
    study = Study(name="s", storage=open_storage(tmp_path, None), space=joined, create=True)
    codes_ND = uniform(joined, 20, np.random.default_rng(0))
    candidates = joined.decode(codes_ND)
    for number, (codes_D, candidate) in enumerate(zip(codes_ND, candidates, strict=True)):
        trial = study.add(waiting(joined, number, candidate=candidate, codes_D=codes_D))
        assert trial.candidate == candidate
    assert any(candidate.pretraining["objective"] != "none" for candidate in candidates)
    for optuna_trial, candidate in zip(study.optuna.trials, candidates, strict=True):
        assert optuna_trial.params["architecture.backbone"] == candidate.backbone
        objective = optuna_trial.params[f"pretraining.{candidate.backbone}.objective"]
        assert objective == candidate.pretraining["objective"]
