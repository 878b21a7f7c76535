"""The proven bound against enumeration by plain loops: random spaces, fitted processes, hyperparameters and limits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.constant import Model as Constant
from predictors.gp import Model
from predictors.parts.kernel import PARTS
from predictors.parts.process import condition
from search.evolution.ceiling import largest_sum, proven
from search.evolution.evolve import evolve
from search.problem.limits import Limits
from search.problem.restriction import narrow
from spaces.dimensions import Choice, Real
from spaces.encoding import encode, layout
from spaces.sampling import uniform
from spaces.space import Space
from tests.nights import by_night
from tests.search import worlds

SPACES = {
    "nested": worlds.nested_space(),
    "chain": worlds.space(widths=3, levels=3),
    "cell": Space(
        name="cell",
        backbone="none",
        architecture={f"op{edge}": Choice(values=("conv", "pool", "none")) for edge in range(4)},
        recipe={"rate": Real(low=1e-3, high=1.0, levels=4, log=True)},
    ),
}


def own_problem(name):
    """Costs of a space: its macs are a product, and two statistics besides their logarithm know its genes."""
    space = SPACES[name]

    def costs(codes_ND):
        active_ND = np.maximum(codes_ND, 0) + 1.0
        return {"macs": active_ND.prod(axis=1), "params": active_ND.sum(axis=1)}

    def statistics(codes_ND):
        return np.stack([np.log(costs(codes_ND)["macs"]), codes_ND[:, 1] ** 2.0, codes_ND.sum(axis=1)], axis=1)

    limits = Limits()
    return worlds.Problem(
        space=space, costs=costs, statistics=statistics, limits=limits, budgets=(), logarithms={"macs": 0}
    )


PROBLEMS = {"nested": own_problem("nested"), "cell": own_problem("cell"), "chain": worlds.problem(SPACES["chain"])}


def process(world, seed: int, *, spread: float, unit: str = "score", only: str | None = None) -> Model:
    """A process conditioned on random scores, its hyperparameters drawn around the fitted ones."""
    rng = np.random.default_rng(seed)
    codes_ND = uniform(world.space, int(rng.integers(3, 40)), rng)
    model = Model(layout=layout(world.space), rng=rng, unit=unit)
    x_NF, s_NK = encode(world.space, codes_ND), world.statistics(codes_ND)
    model.fit(x_NF, s_NK, rng.normal(size=len(codes_ND)) + x_NF @ rng.normal(size=x_NF.shape[1]))
    posterior = model.posterior
    at = posterior.at.like(posterior.at.vector() + spread * rng.normal(size=len(posterior.at.vector())))
    if only is not None:
        at = replace(at, variances_5=np.where(np.array(PARTS) == only, 0.0, -40.0))
    model._posterior = condition(posterior.rows, posterior.t_N, at)
    return model


def predicted(world, model, codes_ND):
    return model.predict(encode(world.space, codes_ND), world.statistics(codes_ND)).mean_N


@given(
    name=st.sampled_from(sorted(PROBLEMS)),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.0, 1.0, 2.0]),
    unit=st.sampled_from(["score", "target"]),
    shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=3),
)
def test_nobody_exceeds_the_proven_bound(name, seed, spread, unit, shares):
    world = PROBLEMS[name]
    model = process(world, seed, spread=spread, unit=unit)
    rows = worlds.members(world.space)
    value_N, costs = predicted(world, model, rows), world.costs(rows)
    budgets = [Limits(max_macs=float(np.quantile(costs["macs"], share)), max_params=1e9) for share in shares]
    bounds = proven(world, model, [*budgets, Limits()])
    for budget, bound in zip([*budgets, Limits()], bounds, strict=True):
        assert bound >= value_N[budget.allow(costs)].max()
    assert np.isfinite(bounds).all()
    assert (bounds <= bounds[-1]).all()  # a limit only helps


@given(seed=st.integers(0, 2**32 - 1), value=st.sampled_from(["a", "b"]))
def test_it_holds_where_a_dimension_is_fixed(seed, value):
    wide = PROBLEMS["nested"]
    model = process(wide, seed, spread=1.0)
    problem, lift = narrow(wide, {"architecture.family": [value]})
    (bound,) = proven(problem, model, [Limits()], lift)
    assert bound >= predicted(wide, model, lift(worlds.members(problem.space))).max()


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_the_additive_part_is_solved_exactly(name):
    world = PROBLEMS[name]
    rows = worlds.members(world.space)
    for seed in range(5):
        model = process(world, seed, spread=0.0, unit="target", only="additive")
        (bound,) = proven(world, model, [Limits()])
        best = predicted(world, model, rows).max()
        assert best <= bound <= best + 1e-4


@pytest.mark.parametrize("part", by_night(PARTS, PARTS[1:-1]))
def test_no_part_is_bounded_by_more_than_its_norm_and_ranges_allow(part):
    """Not useless: below five times the largest absolute value of random processes with one part alone, on median."""
    world, ratios = PROBLEMS["chain"], []
    rows = worlds.members(world.space)
    for seed in range(8):
        model = process(world, seed, spread=0.0, unit="target", only=part)
        (bound,) = proven(world, model, [Limits()])
        ratios.append(bound / np.abs(predicted(world, model, rows)).max())
    assert min(ratios) > 0
    assert np.median(ratios) < 5


@given(name=st.sampled_from(sorted(SPACES)), seed=st.integers(0, 2**32 - 1))
def test_the_largest_sum_over_members(name, seed):
    space: Space = SPACES[name]
    rng = np.random.default_rng(seed)
    unary = [rng.normal(size=1 + len(dimension.values)) for dimension in space.dimensions]
    rows = worlds.members(space)
    sums = sum(table[rows[:, g] + 1] for g, table in enumerate(unary))
    assert largest_sum(space, unary) == pytest.approx(sums.max())


def test_evolution_says_what_is_proven_and_what_is_estimated():
    world = PROBLEMS["chain"]
    arguments = {"budgets": [Limits(max_macs=40.0), Limits()], "start_ND": np.empty((0, 6), dtype=np.int16)}
    few = {"generations": 2, "children": 200, "samples": 60, "enumerate_up_to": 0}
    model = process(world, 0, spread=0.0)
    bounds = proven(world, model, arguments["budgets"])
    picks = evolve(world, model, rng=np.random.default_rng(0), **arguments, **few)
    assert [pick.upper for pick in picks] == bounds.tolist()
    assert all(pick.certain and pick.estimate != pick.upper >= pick.mean for pick in picks)
    constant = Constant(layout=layout(world.space), rng=np.random.default_rng(0))
    constant.fit(np.zeros((2, layout(world.space).width)), np.zeros((2, 1)), np.ones(2))
    picks = evolve(world, constant, rng=np.random.default_rng(0), **arguments, **few)
    assert all(not pick.certain and pick.estimate == pick.upper for pick in picks)
