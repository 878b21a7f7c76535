"""Two stages: their share of the compute, the seam between them, and weights that candidates share."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout

from spaces.candidate import Candidate
from tests.conformance.test_objectives import candidate, without_time
from trainables.data import digits
from trainables.phases import Task, phases_of
from trainables.pretraining import pretraining_of
from trainables.splits import Splits
from trainables.trial import Report, trial


@pytest.fixture(scope="module")
def splits() -> Splits:
    whole = digits.load()
    return replace(whole, train=whole.train.take(np.arange(0, len(whole.train), 10)), pool=whole.train)


def test_candidates_without_pretraining_keep_their_key() -> None:
    plain = Candidate(backbone="mobile", objective="supervised", architecture={"a": 1}, recipe={"b": 2})
    assert set(plain.to_dict()) == {"backbone", "objective", "architecture", "recipe"}
    two_stage = candidate("simclr")
    assert Candidate.from_dict(two_stage.to_dict()) == two_stage
    assert two_stage.key != replace(two_stage, pretraining={}, adaptation={}).key


@pytest.mark.parametrize("name", ["simclr", "spark", "swav", "simmim"])
def test_every_candidate_has_the_same_compute(name: str, splits: Splits) -> None:
    task = Task(candidate=candidate(name, share=0.25), epochs=8, seed=0)
    first = pretraining_of(task.candidate, 8)
    assert first is not None
    phases = list(phases_of(task, splits, first, 0))
    passes = sum(p.plan.epochs * p.plan.images * c for p, c in zip(phases, (first.passes, 1), strict=True))
    assert passes == pytest.approx(8 * len(splits.unlabelled), abs=8)
    assert [phase.last for phase in phases] == [2, 8]


def test_scratch_with_knobs_of_pretraining_is_refused() -> None:
    wrong = replace(candidate("simclr"), pretraining={"objective": "none", "share": 0.5})
    with pytest.raises(ValueError, match=r"is not pretrained but has pretraining\.share, adaptation\.method"):
        pretraining_of(wrong, 4)


def test_shared_weights_give_the_reports_of_fresh_ones(splits: Splits, tmp_path: Path) -> None:
    task = Task(candidate=candidate("simclr"), epochs=4, seed=3)
    whole = list(trial(task, splits, cache=tmp_path / "one"))
    list(islice(trial(task, splits, cache=tmp_path / "two"), 1))  # a holder that stops half way
    found: list[list[Report]] = [[], []]

    def run(number: int) -> None:
        found[number] = list(trial(task, splits, cache=tmp_path / "two"))

    run(0)
    run(1)
    assert without_time(found[0]) == without_time(found[1]) == without_time(whole)
    assert len(list((tmp_path / "two").glob("*.lock"))) == 1


def test_a_trial_holds_its_weights_until_it_ends(splits: Splits, tmp_path: Path) -> None:
    first = trial(Task(candidate=candidate("supervised"), epochs=4, seed=3), splits, cache=tmp_path)
    next(first)
    (lock,) = tmp_path.glob("*.lock")
    with pytest.raises(Timeout), FileLock(lock, timeout=0):
        pass
    first.close()  # type: ignore[attr-defined]
    with FileLock(lock, timeout=0):
        pass
