"""References of a space at the budgets of a search."""

import numpy as np
import pytest

from search.problem.limits import Limits
from search.problem.problem import Problem
from search.problem.references import Fitting, fitting, for_every_second_budget, of_space, one_per_budget
from spaces import fbnetv3, tiny
from spaces.space import Codes, Space
from trainables.counting.statistics import count

BUDGETS = (4e3, 10e3, 50e3, 150e3, 500e3)


def problem(space: Space, budgets: tuple[float, ...] = BUDGETS, limit: float | None = None) -> Problem:
    def costs(codes_ND: Codes) -> dict[str, np.ndarray]:
        return dict(count(space, codes_ND, classes=10, channels=1).costs())

    return Problem(
        space=space,
        costs=costs,
        statistics=lambda codes_ND: np.empty((len(codes_ND), 0)),
        limits=Limits(max_macs=limit),
        budgets=tuple(Limits(max_macs=budget) for budget in budgets),
    )


@pytest.fixture(scope="module")
def references() -> tuple[Fitting, ...]:
    return fitting(problem(tiny.space()), of_space("tiny"))


def test_every_budget_has_its_largest_of_each_family(references: tuple[Fitting, ...]) -> None:
    assert len(references) == 4 * len(BUDGETS)
    for one in references:
        assert 0.6 * BUDGETS[one.budget] < one.macs <= BUDGETS[one.budget]
        (codes_D,) = tiny.space().encode([one.candidate])
        assert np.array_equal(codes_D, one.codes_D)
    assert [one.budget for one in references] == sorted(one.budget for one in references)


def test_one_for_every_two_budgets_begins_with_the_largest(references: tuple[Fitting, ...]) -> None:
    chosen = for_every_second_budget(references)
    assert [one.budget for one in chosen] == [4, 2, 0]
    assert len({one.family for one in chosen}) == 2
    assert all("AdamW" in one.family for one in chosen), "the first half of the families are the stronger ones"


def test_one_a_budget_is_of_the_first_family(references: tuple[Fitting, ...]) -> None:
    chosen = one_per_budget(references)
    assert [one.budget for one in chosen] == [0, 1, 2, 3, 4]
    assert {one.family for one in chosen} == {"EfficientNet-like, AdamW"}


def test_a_pair_stands_once_however_many_budgets_it_fits() -> None:
    close = fitting(problem(tiny.space(), (100e3, 101e3, 102e3)), of_space("tiny"))
    assert len(one_per_budget(close)) < 3


def test_a_budget_below_every_reference_has_none() -> None:
    few = fitting(problem(tiny.space(), (2.5e3, 10e3)), of_space("tiny"))
    assert {one.budget for one in few} == {1}
    assert fitting(problem(tiny.space(), (2.5e3,)), of_space("tiny")) == ()
    assert for_every_second_budget(()) == one_per_budget(()) == []


def test_hard_limits_hold() -> None:
    assert max(one.macs for one in fitting(problem(tiny.space(), limit=60e3), of_space("tiny"))) <= 60e3


def test_a_restricted_space_keeps_the_references_whose_networks_it_has() -> None:
    narrow = tiny.space().restrict({"architecture.resolution": [8, 16], "recipe.optimizer.weight_decay": [1e-4]})
    kept = fitting(problem(narrow), of_space("tiny"))
    assert {one.candidate.architecture["resolution"] for one in kept} == {8, 16}
    assert all(f"{one.candidate.architecture['resolution']}px" in one.name for one in kept)
    nothing = tiny.space().restrict({"recipe.optimizer.name": ["rmsprop"]})
    assert fitting(problem(nothing), of_space("tiny")) == ()


def test_a_space_of_another_backbone_has_its_own() -> None:
    assert fitting(problem(fbnetv3.space(), (5e8,)), of_space("tiny")) == ()
    (one,) = fitting(problem(fbnetv3.space(), (5e8,)), of_space("fbnetv3"))
    assert one.name == "FBNetV3-B"
