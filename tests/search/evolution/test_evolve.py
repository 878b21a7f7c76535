"""Stage 2 against enumeration: optimum found, no limit broken, same seed same picks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.evolution.archive import Archive
from search.evolution.evolve import evolve
from search.evolution.generations import Evolution, Score
from search.problem.limits import Limits, UnreachableLimit
from spaces.codes import members
from spaces.encoding import layout
from spaces.sampling import uniform
from tests.processes import elsewhere
from tests.search import worlds

NOBODY = np.empty((0, 7), dtype=np.int16)


def chain(seed: int = 0, limits: Limits | None = None):
    space = worlds.space()
    return worlds.problem(space, limits), worlds.Truth.random(layout(space).width, seed, statistics_weight=0.3)


def macs_budgets(world, count=20):
    macs = world.costs(worlds.members(world.space))["macs"]
    return [Limits(max_macs=float(q)) for q in np.quantile(macs, np.linspace(0.0, 1.0, count))]


@pytest.mark.parametrize("enumerate_up_to", [0, 100_000])
@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_finds_the_optimum_of_every_budget(enumerate_up_to, confidence):
    for seed in range(3):
        world, truth = chain(seed)
        budgets = macs_budgets(world)
        rows = worlds.members(world.space)
        value, costs = worlds.true_values(world, truth, rows, confidence), world.costs(rows)
        picks = evolve(
            world,
            truth,
            budgets=budgets,
            start_ND=NOBODY,
            rng=np.random.default_rng(seed),
            children=2000,
            scored=150,
            samples=200,
            confidence=confidence,
            enumerate_up_to=enumerate_up_to,
        )
        assert len(picks) == 20
        for budget, pick in zip(budgets, picks, strict=True):
            best = value[budget.allow(costs)].max()
            assert pick.mean - confidence * pick.std == pytest.approx(best, abs=1e-9)


@given(
    seed=st.integers(0, 2**32 - 1),
    shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=4),
    both=st.booleans(),
)
def test_no_limit_is_ever_broken(seed, shares, both):
    world, truth = chain(3)
    costs = world.costs(worlds.members(world.space))
    lowest = {name: float(cost.min()) for name, cost in costs.items()}
    highest = {name: float(cost.max()) for name, cost in costs.items()}
    budgets = [
        Limits(
            max_macs=lowest["macs"] + share * (highest["macs"] - lowest["macs"]),
            max_params=lowest["params"] + share * (highest["params"] - lowest["params"]) if both else None,
        )
        for share in shares
    ]
    picks = evolve(
        world,
        truth,
        budgets=budgets,
        start_ND=uniform(world.space, 5, np.random.default_rng(seed)),
        rng=np.random.default_rng(seed),
        generations=3,
        children=200,
        scored=40,
        samples=50,
        per_budget=2,
        enumerate_up_to=0,
    )
    assert {pick.budget for pick in picks} == set(budgets)
    for pick in picks:
        assert world.space.contains(pick.codes[None]).all()
        assert pick.costs == {name: float(cost[0]) for name, cost in world.costs(pick.codes[None]).items()}
        assert all(pick.costs[name] <= bound for name, bound in pick.budget.bounds().items())


FOUR = ("macs", "params", "activations", "latency_ms")


def with_four_costs(world):
    """The same with two more costs, neither of them a function of the others; the last is not a whole number."""
    sizes = world.space.sizes_D

    def costs(codes_ND):
        share_ND = (codes_ND + 1) / sizes
        activations = 5 + (share_ND * np.arange(len(sizes), 0, -1)).sum(axis=1).round(1)
        latency = 0.3 + (share_ND**2).sum(axis=1) + 0.1 * share_ND[:, 0] * share_ND[:, 1]
        return {**world.costs(codes_ND), "activations": activations, "latency_ms": latency}

    return replace(world, costs=costs)


@given(
    seed=st.integers(0, 2**32 - 1),
    weights=st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4),
    above=st.lists(st.sampled_from([0.0, 1e-12, 1e-6, 0.01, 0.5]), min_size=4, max_size=4),
)
def test_four_limits_at_once_just_above_what_the_space_reaches(seed, weights, above):
    world, truth = chain(5)
    world = with_four_costs(world)
    rows = worlds.members(world.space)
    costs = world.costs(rows)
    relative = np.stack([costs[name] / costs[name].min() for name in FOUR])
    corner = int(np.argmin(np.array(weights) @ relative))  # no candidate is cheaper than this one in every cost
    tight = Limits(**{f"max_{n}": float(costs[n][corner]) * (1 + more) for n, more in zip(FOUR, above, strict=True)})
    picks = evolve(
        world,
        truth,
        budgets=[tight, Limits(max_macs=tight.max_macs), Limits(max_latency_ms=tight.max_latency_ms)],
        start_ND=NOBODY,
        rng=np.random.default_rng(seed),
        generations=3,
        children=200,
        scored=40,
        samples=50,
        enumerate_up_to=0,
    )
    assert len(picks) == 3
    for pick in picks:
        counted = world.costs(pick.codes[None])
        assert all(counted[name][0] <= bound for name, bound in pick.budget.bounds().items())


def test_a_sweep_reaches_the_best_within_two_changes():
    for seed in range(5):
        world, truth = chain(seed)
        rows = worlds.members(world.space)
        value = worlds.true_values(world, truth, rows)
        first = rows[seed * 7]
        changes = (rows != first).sum(axis=1)
        archive = Archive([Limits()], 7, 4)
        evolution = Evolution(Score(world, truth, 0.0, None), archive, np.random.default_rng(0), 10, 10, 20)
        assert evolution.sweep(first[None]) == 1
        assert archive.best_K[0] >= value[(changes > 0) & (changes <= 2)].max() - 1e-9
        assert evolution.sweep(first[None]) == 0  # once is enough


def test_no_sweep_where_two_changes_are_too_many():
    space = worlds.space(widths=20, levels=6)
    world, truth = worlds.problem(space), worlds.Truth.random(layout(space).width, 0)
    archive = Archive([Limits()], 23, 4)
    evolution = Evolution(Score(world, truth, 0.0, None), archive, np.random.default_rng(0), 10, 10, 20)
    assert evolution.sweep(uniform(space, 1, np.random.default_rng(0))) == 0
    assert archive.filled_K[0] == 0


def test_the_hard_limits_of_the_problem_hold_besides_every_budget():
    world, truth = chain(1, Limits(max_params=77.0))
    picks = evolve(
        world, truth, budgets=[Limits(max_macs=60.0), Limits()], start_ND=NOBODY, rng=np.random.default_rng(0)
    )
    assert all(pick.costs["params"] <= 77 for pick in picks)
    assert picks[0].costs["macs"] <= 60


def test_a_pool_is_the_only_choice():
    world, truth = chain(2)
    pool = uniform(world.space, 50, np.random.default_rng(5))
    pooled = worlds.Problem(
        space=world.space, costs=world.costs, statistics=world.statistics, limits=Limits(), budgets=(), pool=pool
    )
    (pick,) = evolve(pooled, truth, budgets=[Limits()], start_ND=NOBODY, rng=np.random.default_rng(0))
    assert pick.mean == worlds.true_values(world, truth, pool).max()


def test_several_picks_per_budget_are_the_best_ones_and_differ():
    world, truth = chain(4)
    picks = evolve(world, truth, budgets=[Limits()], start_ND=NOBODY, rng=np.random.default_rng(0), per_budget=5)
    best = np.sort(worlds.true_values(world, truth, worlds.members(world.space)))[::-1][:5]
    assert [pick.mean for pick in picks] == pytest.approx(best.tolist())
    assert len({pick.codes.tobytes() for pick in picks}) == 5


@pytest.mark.parametrize("enumerate_up_to", [0, 100_000])
def test_an_unreachable_budget_names_the_smallest_value(enumerate_up_to):
    world, truth = chain(0)
    smallest = int(world.costs(worlds.members(world.space))["macs"].min())
    with pytest.raises(UnreachableLimit, match=rf"\b{smallest}\b"):
        evolve(
            world,
            truth,
            budgets=[Limits(max_macs=smallest - 1)],
            start_ND=NOBODY,
            rng=np.random.default_rng(0),
            enumerate_up_to=enumerate_up_to,
        )


def test_the_one_candidate_at_the_minimum_of_a_long_chain_is_found():
    space = worlds.space(widths=20, levels=6)
    world, truth = worlds.problem(space), worlds.Truth.random(layout(space).width, 0)
    smallest = float(world.costs(np.zeros((1, 23), dtype=np.int16))["macs"][0])
    (pick,) = evolve(
        world,
        truth,
        budgets=[Limits(max_macs=smallest)],
        start_ND=np.empty((0, 23), dtype=np.int16),
        rng=np.random.default_rng(0),
        generations=5,
        children=500,
        samples=100,
    )
    assert pick.costs["macs"] == smallest


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"budgets": []}, "at least one budget"),
        ({"confidence": -1.0}, "confidence"),
        ({"per_budget": 0}, "per_budget"),
        ({"budgets": [Limits(max_latency_ms=1.0)]}, "max_latency_ms limits a cost that is not known"),
        ({"start_ND": np.full((1, 7), 9, dtype=np.int16)}, "not a member"),
    ],
)
def test_arguments_that_make_no_sense(changed, message):
    world, truth = chain()
    arguments = {"budgets": [Limits()], "start_ND": NOBODY, "rng": np.random.default_rng(0)} | changed
    with pytest.raises(ValueError, match=message):
        evolve(world, truth, **arguments)


def test_every_member_is_enumerated_once():
    space = worlds.space(widths=2)
    assert {row.tobytes() for row in members(space)} == {row.tobytes() for row in worlds.members(space)}
    assert len(members(space)) == space.count()


def test_the_archive_keeps_the_best_distinct_rows():
    archive = Archive([Limits(max_macs=2.0), Limits()], 1, 2)
    codes = np.array([[0], [1], [1], [2]], dtype=np.int16)
    archive.update(codes, np.array([1.0, 2.0, 2.0, 3.0]), {"macs": np.array([1, 2, 2, 3])}, 0)
    assert archive.codes_KED[:, :, 0].tolist() == [[1, 0], [2, 1]]
    assert sorted(archive.members()[:, 0].tolist()) == [0, 1, 2]


def seeded_picks():
    world, truth = chain(7)
    rng = np.random.default_rng(11)
    how = {"children": 500, "samples": 100, "generations": 4, "enumerate_up_to": 0}
    picks = evolve(world, truth, budgets=macs_budgets(world, 5), start_ND=NOBODY, rng=rng, **how)
    return [pick.codes.tolist() for pick in picks]


def test_same_seed_same_picks_in_another_process():
    assert elsewhere(seeded_picks) == seeded_picks()
