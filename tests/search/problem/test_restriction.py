"""Restricted spaces seen through the predictor of the whole space."""

from dataclasses import replace

import numpy as np
import pytest

from search.evolution.evolve import evolve
from search.problem.limits import Limits
from search.problem.restriction import Lift, narrow, parse_fixed
from spaces.encoding import layout
from spaces.sampling import uniform
from tests.search import worlds

SPACE = worlds.space(widths=3)


@pytest.mark.parametrize(
    "fixed",
    [
        {"recipe.optimizer.name": ["adam"]},  # drops the momentum
        {"recipe.optimizer.name": ["sgd", "rms"], "architecture.width.1": [3, 5]},
    ],
)
def test_lift_and_lower_are_inverse_and_keep_the_candidate(fixed):
    _, lift = narrow(worlds.problem(SPACE), fixed)
    rows = uniform(lift.narrow, 200, np.random.default_rng(0))
    assert SPACE.contains(lift(rows)).all()
    assert (lift.lower(lift(rows)) == rows).all()
    assert lift.narrow.decode(rows) == SPACE.decode(lift(rows))


def test_lower_keeps_just_the_members():
    lift = Lift(narrow=SPACE.restrict({"recipe.optimizer.name": ["adam"]}), wide=SPACE)
    rows = uniform(SPACE, 300, np.random.default_rng(1))
    adam = rows[:, SPACE.index["recipe.optimizer.name"]] == 1
    assert (lift(lift.lower(rows)) == rows[adam]).all()


@pytest.mark.parametrize("enumerate_up_to", [0, 100_000])
def test_evolution_in_the_restricted_space_finds_its_optimum(enumerate_up_to):
    wide = worlds.problem(SPACE)
    truth = worlds.Truth.random(layout(SPACE).width, 5)
    fixed = {"recipe.optimizer.name": ["adam"], "architecture.width.0": [4]}
    narrowed, lift = narrow(wide, fixed)
    (pick,) = evolve(
        narrowed,
        truth,
        budgets=[Limits(max_macs=50)],
        start_ND=narrowed.space.encode([]),
        rng=np.random.default_rng(0),
        children=1000,
        samples=100,
        enumerate_up_to=enumerate_up_to,
        lift=lift,
    )
    members = lift(worlds.members(narrowed.space))
    fits = Limits(max_macs=50).allow(wide.costs(members))
    assert pick.mean == pytest.approx(worlds.true_values(wide, truth, members[fits]).max())
    (candidate,) = narrowed.space.decode(pick.codes[None])
    assert candidate.recipe["optimizer.name"] == "adam"
    assert candidate.architecture["width.0"] == 4


def test_a_pool_keeps_the_candidates_that_agree():
    pool = uniform(SPACE, 60, np.random.default_rng(2))
    wide = worlds.Problem(
        space=SPACE, costs=lambda c: {}, statistics=lambda c: np.zeros((0, 1)), limits=Limits(), budgets=(), pool=pool
    )
    narrowed, lift = narrow(wide, {"architecture.width.0": [2]})
    assert narrowed.pool is not None
    assert (lift(narrowed.pool) == pool[pool[:, 0] == 0]).all()
    with pytest.raises(ValueError, match="no recorded candidate"):
        narrow(replace(wide, pool=pool[pool[:, 0] == 0]), {"architecture.width.0": [3]})


def test_parsing_assignments():
    assert parse_fixed(SPACE, ["recipe.optimizer=sgd", "recipe.optimizer.name=rms"]) == {
        "recipe.optimizer.name": ["sgd", "rms"]
    }
    assert parse_fixed(SPACE, ["architecture.width.0=3", "recipe.optimizer.lr=1"]) == {
        "architecture.width.0": [3],
        "recipe.optimizer.lr": [1.0],
    }


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("recipe.optimizer.name", "ADDRESS=VALUE"),
        ("recipe.nothing=1", "has no 'recipe.nothing'; it has architecture.width.0"),
        ("recipe.optimizer.name=lion", "allows sgd, adam, rms"),
        ("architecture.width.0=wide", "allows 2, 3, 4, 5"),
    ],
)
def test_bad_assignments(assignment, message):
    with pytest.raises(ValueError, match=message):
        parse_fixed(SPACE, [assignment])
