"""Pretraining and training: their share of the compute, the seam between them, and weights that candidates share."""

import json
import os
import random
import shutil
import time
from dataclasses import replace
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock, Timeout

from spaces import components
from spaces.candidate import Candidate
from spaces.sampling import uniform
from tests.processes import CONTEXT
from tests.trainables.small import pretrained, without_time
from trainables.data import digits
from trainables.job import Report
from trainables.splits import Splits
from trainables.stages.phases import Task, phases_of
from trainables.stages.pretraining import pretrainings_of
from trainables.training.checkpoint import Checkpoint, CheckpointError
from trainables.training.trial import trial


@pytest.fixture(scope="module")
def splits() -> Splits:
    whole = digits.load()
    return replace(whole, train=whole.train.take(np.arange(0, len(whole.train), 10)), pool=whole.train)


def test_candidates_without_pretraining_keep_their_key() -> None:
    plain = Candidate(backbone="mobile", objective="supervised", architecture={"a": 1}, recipe={"b": 2})
    assert set(plain.to_dict()) == {"backbone", "objective", "architecture", "recipe"}
    two_phases = pretrained("simclr")
    assert Candidate.from_dict(two_phases.to_dict()) == two_phases
    assert two_phases.key != replace(two_phases, pretraining={}, adaptation={}).key


@pytest.mark.parametrize("name", ["simclr", "spark", "swav", "simmim"])
def test_every_candidate_has_the_same_compute(name: str, splits: Splits) -> None:
    task = Task(candidate=pretrained(name, share=0.25), epochs=8, seed=0)
    stages = pretrainings_of(task.candidate, 8)
    phases = list(phases_of(task, splits, stages, [0]))
    passes = sum(p.plan.epochs * p.plan.images * c for p, c in zip(phases, (stages[0].passes, 1), strict=True))
    assert passes == pytest.approx(8 * len(splits.unlabelled), abs=8)
    assert [phase.last for phase in phases] == [2, 8]


def test_scratch_with_knobs_of_pretraining_is_refused() -> None:
    wrong = replace(pretrained("simclr"), pretraining={"objective": "none", "share": 0.5})
    with pytest.raises(ValueError, match=r"is not pretrained but has pretraining\.share, adaptation\.method"):
        pretrainings_of(wrong, 4)


def test_shared_weights_give_the_reports_of_fresh_ones(splits: Splits, tmp_path: Path) -> None:
    task = Task(candidate=pretrained("simclr"), epochs=4, seed=3)
    whole = list(trial(task, splits, cache=tmp_path / "one"))
    list(islice(trial(task, splits, cache=tmp_path / "two"), 1))  # a holder that stops half way
    reports: list[list[Report]] = [[], []]

    def run(number: int) -> None:
        reports[number] = list(trial(task, splits, cache=tmp_path / "two"))

    run(0)
    run(1)
    assert without_time(reports[0]) == without_time(reports[1]) == without_time(whole)
    assert len(list((tmp_path / "two").glob("*.lock"))) == 1


def test_a_trial_holds_its_weights_until_it_ends(splits: Splits, tmp_path: Path) -> None:
    first = trial(Task(candidate=pretrained("supervised"), epochs=4, seed=3), splits, cache=tmp_path)
    next(first)
    (lock,) = tmp_path.glob("*.lock")
    with pytest.raises(Timeout), FileLock(lock, timeout=0):
        pass
    first.close()  # type: ignore[attr-defined]
    with FileLock(lock, timeout=0):
        pass


THREE_OF_FOUR = Task(candidate=pretrained("rotation", share=0.75), epochs=4, seed=3)
"""Three reports of pretraining, one of training."""


def few() -> Splits:
    whole = digits.load()
    return replace(whole, train=whole.train.take(np.arange(0, len(whole.train), 10)))


def _share(folder: Path, name: str, stops_in: int | None) -> None:
    """In a process of its own: a trial that notes each write of the cache, and stays inside one of them half way."""
    torch.set_num_threads(1)
    flush, written = os.fsync, [0]

    def noted(handle: int) -> None:
        written[0] += 1
        if written[0] == stops_in:
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
            (folder / "half").touch()
            time.sleep(600)
        flush(handle)
        (folder / f"{name}.writes").write_text(str(written[0]))

    os.fsync = noted  # type: ignore[assignment]
    splits = few()
    (folder / f"{name}.ready").touch()
    reports = without_time(list(trial(THREE_OF_FOUR, splits, cache=folder / "cache")))
    (folder / f"{name}.json").write_text(json.dumps(reports))


def started(folder: Path, name: str, stops_in: int | None = None) -> BaseProcess:
    process = CONTEXT.Process(target=_share, args=(folder, name, stops_in))
    process.start()
    return process


def writes(folder: Path, name: str) -> int:
    file = folder / f"{name}.writes"
    return int(file.read_text()) if file.exists() else 0


def wait_for(path: Path, process: BaseProcess) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.nightly
def test_a_kill_during_the_write_leaves_one_whole_pretraining(tmp_path: Path) -> None:
    victim = started(tmp_path, "victim", stops_in=2)
    rivals: dict[str, BaseProcess] = {}
    try:
        wait_for(tmp_path / "half", victim)
        rivals = {name: started(tmp_path, name) for name in ("left", "right")}
        for name, rival in rivals.items():
            wait_for(tmp_path / f"{name}.ready", rival)
        (half,) = (tmp_path / "cache").glob("*.tmp")
        (whole,) = (tmp_path / "cache").glob("*.pt")
        shutil.copyfile(half, tmp_path / "taken.pt")
        with pytest.raises(CheckpointError, match="damaged"):  # under the name of a whole one
            Checkpoint(path=tmp_path / "taken.pt").load()
        state = Checkpoint(path=whole).load()
        assert state is not None
        assert len(state["reports"]) == 1
        assert not any(writes(tmp_path, name) for name in rivals)
        victim.kill()
        for rival in rivals.values():
            rival.join(timeout=120)
            assert rival.exitcode == 0
    finally:
        for process in (victim, *rivals.values()):
            process.kill()
            process.join()
    assert sorted(writes(tmp_path, name) for name in rivals) == [0, 2]  # the lost epoch once, the last one once
    expected = json.loads(json.dumps(without_time(list(trial(THREE_OF_FOUR, few(), cache=tmp_path / "alone")))))
    assert [json.loads((tmp_path / f"{name}.json").read_text()) for name in rivals] == [expected, expected]
    assert sorted(file.suffix for file in (tmp_path / "cache").iterdir()) == [".lock", ".pt"]


@pytest.mark.nightly
def test_trials_killed_at_any_moment_end_in_one_pretraining(tmp_path: Path) -> None:
    draw = random.Random(0)
    rivals = {name: started(tmp_path, name) for name in ("one", "two", "three")}
    try:
        for _ in range(8):
            time.sleep(draw.uniform(0.2, 4.0))
            name = draw.choice(sorted(rivals))
            rivals[name].kill()
            rivals[name].join()
            rivals[name] = started(tmp_path, name)
        for rival in rivals.values():
            rival.join(timeout=120)
            assert rival.exitcode == 0
    finally:
        for process in rivals.values():
            process.kill()
            process.join()
    expected = json.loads(json.dumps(without_time(list(trial(THREE_OF_FOUR, few(), cache=tmp_path / "alone")))))
    assert all(json.loads((tmp_path / f"{name}.json").read_text()) == expected for name in rivals)
    assert not list((tmp_path / "cache").glob("*.tmp"))


@pytest.mark.parametrize("name", components.names(components.SPACES))
def test_no_candidate_of_a_space_contradicts_itself(name: str) -> None:
    """Such as an objective that reads labels, on pictures that have none."""
    space = components.load(components.SPACES, name).space()
    if not space.pretraining:
        return
    for candidate in space.decode(uniform(space, 200, np.random.default_rng(0))):
        pretrainings_of(candidate, 4)
