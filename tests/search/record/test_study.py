import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState

from search.record.storage import JOURNAL, open_storage
from search.record.study import NewTrial, Study
from spaces import pretraining, tiny
from spaces.sampling import uniform
from trainables.counting.statistics import Statistics
from trainables.training.trial import Report

SPACE = tiny.space()


def opened(folder: Path, create: bool = True) -> Study:
    return Study(name="s", storage=open_storage(folder, None), space=SPACE, create=create)


def new(seed: int) -> NewTrial:
    candidate = SPACE.decode(uniform(SPACE, 1, np.random.default_rng(seed)))[0]
    statistics = Statistics(macs=10, params=20, activations=30, resolution=8)
    return NewTrial(
        purpose="search", round=0, candidate=candidate, statistics=statistics, epochs=2, stop=1, seed=3, predicted=None
    )


def report(epoch: int) -> Report:
    return Report(epoch=epoch, accuracy=0.5 + epoch / 10, loss=1.0, seconds=2.0)


def test_a_reopened_study_holds_what_was_recorded(tmp_path: Path) -> None:
    study = opened(tmp_path)
    added = [study.add(new(seed)) for seed in range(4)]
    study.start(0)
    study.finish(0, (report(1),))
    study.finish(1, (report(1), report(2)))
    study.start(2)
    study.finish(2, (), "loss is nan")
    study.note("round.1", {"tau": 0.5})
    again = opened(tmp_path, create=False)
    records = again.records()
    states = [TrialState.PRUNED, TrialState.COMPLETE, TrialState.FAIL, TrialState.WAITING]
    assert [record.state for record in records] == states
    assert [record.candidate for record in records] == [record.candidate for record in added]
    assert records[1].reports == (report(1), report(2))
    assert records[2].message == "loss is nan"
    assert again.notes["round.1"] == {"tau": 0.5}
    assert again.optuna.trials[1].params == {
        **{f"architecture.{key}": value for key, value in records[1].candidate.architecture.items()},
        **{f"recipe.{key}": value for key, value in records[1].candidate.recipe.items()},
    }


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
    first, second = opened(tmp_path, create=False).records()
    assert (first.reports, second.message) == ((report(1),), "no memory")


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    opened(tmp_path).add(new(0))
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + b'{"op_code": 4, "wor')
    study = opened(tmp_path, create=False)
    study.add(new(1))
    assert len(opened(tmp_path, create=False).records()) == 2


def test_a_missing_study_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no study 's'"):
        opened(tmp_path, create=False)


def test_a_study_of_a_joined_space_holds_every_role(tmp_path: Path) -> None:
    joined = pretraining.space()
    study = Study(name="s", storage=open_storage(tmp_path, None), space=joined, create=True)
    candidates = joined.decode(uniform(joined, 20, np.random.default_rng(0)))
    for candidate in candidates:
        record = study.add(replace(new(0), candidate=candidate))
        assert record.candidate == candidate
    assert any(candidate.pretraining["objective"] != "none" for candidate in candidates)
    for trial, candidate in zip(study.optuna.trials, candidates, strict=True):
        assert trial.params["architecture.backbone"] == candidate.backbone
        objective = trial.params[f"pretraining.{candidate.backbone}.objective"]
        assert objective == candidate.pretraining["objective"]
