"""How long the rest of a run takes."""

from dataclasses import replace

import pytest

from search.console.remaining import Plan, Remaining, Work
from search.setting.sections.family import FamilySection
from search.setting.sections.search import SearchSection


class Clock:
    """Of which a test says the time."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def plan(**family: object) -> Plan:
    section = FamilySection.model_validate({"epochs": 20, "teachers": 0, **family})
    return Plan(search=SearchSection(), family=section, budgets=[1e3, 1e4], references=[])


def epochs(works: list[Work]) -> float:
    return sum(work.epochs or 0.0 for work in works)


@pytest.mark.parametrize(
    ("family", "after", "expected"),
    [
        ({"finalists": 1}, 0, 2 * 20),
        ({"finalists": 2}, 0, 2 * (20 + 10)),
        ({"finalists": 2}, 10, 2 * 10),
        ({"finalists": 3}, 0, 2 * (20 + 2 * 5 + 5)),  # three to epoch 5, two to 10, one to 20
        ({"finalists": 3}, 5, 2 * (15 + 5)),
        ({"finalists": 1, "seeds": 2}, 0, 2 * 40),
        ({"finalists": 1, "teachers": 1}, 0, 2 * (20 + 10)),
    ],
)
def test_halving_trains_the_epochs_that_are_expected(family: dict[str, object], after: int, expected: float) -> None:
    assert epochs(plan(**family).finals(after)) == expected


@pytest.mark.parametrize(
    ("epochs_of_trials", "family", "expected"),
    [
        (20, {"finalists": 1}, 2 * 15),  # a quarter was made by their trials
        (10, {"finalists": 1}, 2 * 20),  # which were pretrained less
        (10, {"finalists": 1, "seeds": 2}, 2 * (20 + 15)),
        (20, {"finalists": 2}, 2 * (15 + 7)),  # both to the middle of what is left after their pretraining
        (10, {"finalists": 1, "teachers": 1}, 2 * (20 + 7.5)),
    ],
)
def test_a_pretraining_is_made_once(epochs_of_trials: int, family: dict[str, object], expected: float) -> None:
    pretrained = replace(plan(**family), search=SearchSection(epochs=epochs_of_trials), pretrained=0.25)
    assert epochs(pretrained.finals()) == expected
    clock = Clock()
    remaining = Remaining(clock)
    remaining.begin({"a": Work(1e3, 10, 4), "b": Work(1e3, 10, 4)}, pretrained.repeats[:0])
    clock.time = 5.0
    remaining.reported("a", Work(1e3, 10, 4), 5, 5.0)
    assert remaining.seconds() == pytest.approx(5 + 6)


def test_nothing_is_said_before_anything_was_trained() -> None:
    remaining = Remaining(Clock())
    remaining.begin({"a": Work(1e3, 10)})
    assert remaining.seconds() is None


def test_two_at_a_time_take_half_as_long_as_one() -> None:
    def left(at_once: int) -> float | None:
        clock = Clock()
        remaining = Remaining(clock)
        remaining.begin({f"waiting {k}": Work(None, None) for k in range(10)}, [Work(2e3, 10)])
        for epoch in range(1, 11):
            clock.time += 1.0
            for name in range(at_once):
                remaining.reported(f"trial {name}", Work(1e3, 10), epoch, float(epoch))
        for name in range(at_once):
            remaining.ended(f"trial {name}")
        return remaining.seconds()

    assert left(1) == pytest.approx(10 * 9 + 10 * 2)  # macs decide, where nothing else is known
    assert left(2) == pytest.approx((10 * 8 + 10 * 2) / 2)


def test_what_an_earlier_process_trained_does_not_count_as_done_by_this_one() -> None:
    clock = Clock()
    remaining = Remaining(clock)
    remaining.begin({"a": Work(1e3, 10), "b": Work(1e3, 10)})
    clock.time = 1.0
    remaining.reported("a", Work(1e3, 10), 9, 9.0)
    assert remaining.seconds() == pytest.approx(1 + 10)


def test_larger_networks_take_longer() -> None:
    remaining = Remaining(Clock())
    for macs in (1e3, 2e3, 3e3):
        remaining.saw(macs, [(1 + macs / 1e3) * epoch for epoch in range(1, 11)])
    remaining.reported("now", Work(1e3, 1), 1, 2.0)
    remaining.ended("now")
    remaining.begin({"large": Work(9e3, 10)})
    left = remaining.seconds()
    assert left is not None
    assert left == pytest.approx(100, rel=0.1)


def test_what_lies_between_stages_makes_no_training_slower() -> None:
    clock = Clock()
    remaining = Remaining(clock)
    work = Work(1e3, 2.0)
    remaining.begin({"a": work})
    clock.time = 10.0
    remaining.reported("a", work, 2, 10.0)
    remaining.ended("a")
    clock.time = 100.0  # an evolution
    remaining.begin({"b": work, "c": work})
    assert remaining.seconds() == pytest.approx(20.0)
    clock.time = 110.0
    remaining.reported("b", work, 2, 10.0)
    remaining.ended("b")
    assert remaining.seconds() == pytest.approx(10.0)


def test_pretraining_has_a_speed_of_its_own_and_what_was_made_takes_no_time() -> None:
    clock = Clock()
    remaining = Remaining(clock)
    work = Work(1e3, 6, 0.0, 4.0)
    unnamed = {"waiting 0": Work(None, None, 0.0, None), "waiting 1": Work(None, None, 0.0, None)}
    remaining.begin(unnamed, [Work(1e3, 6, 4.0, 4.0), Work(1e3, 4)])
    for epoch, end in enumerate((10.0, 20.0, 30.0, 40.0, 41.0, 42.0), start=1):
        clock.time = end
        remaining.reported("a", work, epoch, end)
        if epoch == 3:  # nothing is known of the speed of training yet
            assert remaining.seconds() == pytest.approx(3 * 10 + 60 + 20 + 40)
    remaining.ended("a")
    assert remaining.seconds() == pytest.approx(42 + 2 + 4)
    remaining.begin({"b": Work(1e3, 6, 4.0, 4.0), "c": Work(1e3, 6, 4.0, 4.0)})
    for epoch in range(1, 5):  # of the pretraining, at once
        remaining.reported("b", Work(1e3, 6, 4.0, 4.0), epoch, 10.0 * epoch)
    assert remaining.seconds() == pytest.approx(4)
    clock.time = 43.0
    remaining.reported("b", Work(1e3, 6, 4.0, 4.0), 5, 41.0)
    assert remaining.seconds() == pytest.approx(3)


def test_what_was_recorded_before_is_told_apart_too() -> None:
    clock = Clock()
    remaining = Remaining(clock)
    remaining.saw(1e3, [10.0, 20.0, 21.0, 22.0], pretrained=2)
    remaining.begin({"a": Work(1e3, 4, 2.0, 2.0), "b": Work(1e3, 4, 0.0, 2.0)})
    clock.time = 1.0
    remaining.reported("a", Work(1e3, 4, 2.0, 2.0), 3, 1.0)
    assert remaining.seconds() == pytest.approx(1 + 22)
