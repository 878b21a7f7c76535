"""The dynamic program and the bound, against enumeration by plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from search.evolution import chain as chains
from search.evolution.chain import Chain, solve
from search.evolution.student import Tables, fit_tables
from search.problem.limits import Limits
from spaces.dimensions import Choice
from spaces.encoding import layout
from spaces.sampling import uniform
from spaces.space import Space
from tests.search import worlds

SPACES = {"nested": worlds.nested_space(), "chain": worlds.space(widths=3, levels=3)}


def random_tables(space: Space, rng: np.random.Generator, *, integers: bool) -> Tables:
    def table(*shape):
        return rng.integers(-5, 12, size=shape).astype(float) if integers else rng.normal(size=shape)

    sizes = (space.sizes_D + 1).tolist()
    return Tables(
        constant=float(table(1)[0]),
        unary=tuple(table(size) for size in sizes),
        pairs={(g, g + 1): table(sizes[g], sizes[g + 1]) for g in range(len(sizes) - 1)},
    )


@given(name=st.sampled_from(sorted(SPACES)), seed=st.integers(0, 2**32 - 1))
def test_without_a_limit_the_best_member_of_a_space_with_conditions(name, seed):
    space = SPACES[name]
    score = random_tables(space, np.random.default_rng(seed), integers=False)
    codes_KD, best_K = solve(space, score, None, np.zeros(1))
    assert space.contains(codes_KD).all()
    assert best_K == pytest.approx([score(worlds.members(space)).max()])
    assert score(codes_KD) == pytest.approx(best_K)


def test_exact_at_every_budget_when_a_cell_is_a_unit():
    rng = np.random.default_rng(0)
    space = Space(
        name="plain",
        backbone="none",
        architecture={f"g.{i}": Choice(values=tuple(range(4)), ordered=True) for i in range(5)},
        recipe={},
    )
    score, cost = random_tables(space, rng, integers=False), random_tables(space, rng, integers=True)
    rows = worlds.members(space)
    value_N, cost_N = score(rows), cost(rows)
    places = [np.arange(1, 5)] * 5
    cells = int(sum(step.max() - step.min() for step in chains._allowed(chains._steps(cost), places)))
    bound_K = np.append(np.unique(cost_N), 1e6)  # the largest makes a cell one unit
    codes_KD, best_K = solve(space, score, cost, bound_K, cells=cells)
    assert best_K == pytest.approx([value_N[cost_N <= bound].max() for bound in bound_K])
    assert score(codes_KD) == pytest.approx(best_K)
    assert (cost(codes_KD) <= bound_K).all()


@given(
    name=st.sampled_from(sorted(SPACES)),
    seed=st.integers(0, 2**32 - 1),
    cells=st.sampled_from([3, 17, 256]),
    contexts=st.sampled_from([1, 2, 64]),
)
def test_never_below_enumeration_however_coarse_the_cells_or_relaxed_the_conditions(name, seed, cells, contexts):
    space, rng = SPACES[name], np.random.default_rng(seed)
    score, cost = random_tables(space, rng, integers=False), random_tables(space, rng, integers=False)
    rows = worlds.members(space)
    value_N, cost_N = score(rows), cost(rows)
    bound_K = np.quantile(cost_N, [0.0, 0.1, 0.5, 1.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains, "CONTEXTS", contexts)
        codes_KD, best_K = solve(space, score, cost, bound_K, cells=cells)
    assert space.contains(codes_KD).all()
    assert (best_K >= [value_N[cost_N <= bound].max() - 1e-9 for bound in bound_K]).all()


def test_a_bound_below_every_chain_has_no_solution():
    space = SPACES["chain"]
    score = random_tables(space, np.random.default_rng(0), integers=False)
    assert solve(space, score, score, np.array([-1e6]))[1].tolist() == [-np.inf]


@given(
    seed=st.integers(0, 2**32 - 1),
    shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=4),
    second=st.booleans(),
)
def test_the_bound_holds_on_every_enumerable_case(seed, shares, second):
    space = SPACES["chain"]
    world, truth = worlds.problem(space), worlds.Truth.random(layout(space).width, seed, statistics_weight=1.0)
    rows = worlds.members(space)
    value_N, costs = worlds.true_values(world, truth, rows), world.costs(rows)
    budgets = [
        Limits(
            max_macs=float(np.quantile(costs["macs"], share)),
            max_params=float(np.quantile(costs["params"], 1 - share / 2)) if second else None,
        )
        for share in shares
    ] + [Limits()]
    lessons = np.random.default_rng(seed).permutation(len(rows))[:200]
    chain = Chain(space, budgets, rows[lessons], value_N[lessons], {n: c[lessons] for n, c in costs.items()})
    for budget, bound in zip(budgets, chain.bounds(rows, value_N, costs), strict=True):
        assert bound >= value_N[budget.allow(costs)].max() - 1e-9


def test_the_bound_is_tight_where_the_objective_is_a_chain():
    space, rng = SPACES["chain"], np.random.default_rng(1)
    rows = worlds.members(space)
    objective = random_tables(space, rng, integers=False)
    costs = worlds.chain_costs(space, rows)
    budgets = [Limits(max_macs=float(np.quantile(costs["macs"], 0.3))), Limits()]
    chain = Chain(space, budgets, rows, objective(rows), costs)
    for budget, bound in zip(budgets, chain.bounds(rows, objective(rows), costs), strict=True):
        best = objective(rows)[budget.allow(costs)].max()
        assert best - 1e-9 <= bound <= best + 0.2 * objective(rows).std()


def test_fitted_tables_recover_a_chain():
    space, rng = SPACES["chain"], np.random.default_rng(2)
    truth = random_tables(space, rng, integers=False)
    lessons, fresh = uniform(space, 600, rng), uniform(space, 300, rng)
    (fit,) = fit_tables(space, lessons, truth(lessons)[:, None], "neighbours")
    assert np.std(fit.tables(fresh) - truth(fresh)) < 0.05 * np.std(truth(fresh))
    assert spearmanr(fit.tables(fresh), truth(fresh)).statistic > 0.99
