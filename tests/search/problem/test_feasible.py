from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.problem.feasible import largest, sample_within, smallest
from search.problem.limits import Costs, Limits, UnreachableLimit
from search.problem.problem import Problem
from spaces import fbnetv3, imagenet, tiny
from spaces.sampling import uniform
from spaces.space import Codes, Space
from trainables.counting.statistics import count


def _costs(space: Space, classes: int = 1000, channels: int = 3) -> Callable[[Codes], Costs]:
    return lambda codes_ND: count(space, codes_ND, classes=classes, channels=channels).costs()


def _problem(space: Space, limits: Limits, pool: Codes | None = None) -> Problem:
    def nothing(codes_ND: Codes) -> np.ndarray:
        return np.empty((len(codes_ND), 0))

    return Problem(space=space, costs=_costs(space), statistics=nothing, limits=limits, budgets=(), pool=pool)


def _rejection(problem: Problem, n: int, rng: np.random.Generator, tries: int = 100) -> Codes:
    """The first ``n`` feasible ones of up to ``tries`` thousand uniform draws."""
    drawn_ND = np.concatenate([uniform(problem.space, 1_000, rng) for _ in range(tries)])
    feasible_ND = drawn_ND[problem.feasible(drawn_ND)]
    assert len(feasible_ND) >= n
    return feasible_ND[:n]


@pytest.mark.parametrize("build", [tiny.space, fbnetv3.space, imagenet.space])
@pytest.mark.parametrize("name", ["macs", "params", "activations"])
def test_a_thousand_candidates_just_above_the_smallest(build: Callable[[], Space], name: str) -> None:
    space = build()
    least = smallest(space, _costs(space), name)
    problem = _problem(space, Limits(**{f"max_{name}": least * 1.05}))
    drawn_ND = sample_within(problem, 1_000, np.random.default_rng(0))
    assert drawn_ND.shape == (1_000, len(space.dimensions))
    assert space.contains(drawn_ND).all()
    assert problem.feasible(drawn_ND).all()
    assert len(np.unique(drawn_ND, axis=0)) > 500


def test_the_smallest_is_that_of_the_whole_space_listed() -> None:
    keep = {address: dimension.values[:2] for address, dimension in tiny.space().architecture.items()}
    keep |= {"resolution": (12, 8), "kernel.1": (3,), "kernel.2": (3,), "activation": ("relu",), "width.0": (12,)}
    keep |= {"depth.2": (1,), "depth.1": (1,), "stem_width": (8,), "width.1": (12,), "head_width": (32,)}
    space = tiny.space().restrict({f"architecture.{address}": values for address, values in keep.items()})
    sizes = space.sizes_D[: len(space.architecture)]
    assert sizes.prod() <= 20_000
    grid = np.stack(np.unravel_index(np.arange(sizes.prod()), sizes), axis=1).astype(np.int16)
    recipe = np.repeat(uniform(space, 1, np.random.default_rng(0))[:, len(sizes) :], len(grid), axis=0)
    costs = _costs(space)(np.concatenate([grid, recipe], axis=1))
    for name, cost_N in costs.items():
        assert smallest(space, _costs(space), name) == cost_N.min()


def test_the_largest_are_within_the_limits_and_above_a_thousand_draws() -> None:
    for space in (tiny.space(), fbnetv3.space()):
        problem = _problem(space, Limits(max_macs=4 * smallest(space, _costs(space), "macs")))
        drawn_ND = sample_within(problem, 1_000, np.random.default_rng(7))
        found_ND = largest(problem, lambda codes_ND, p=problem: np.asarray(p.costs(codes_ND)["activations"], float), 3)
        assert problem.feasible(found_ND).all()
        assert len(np.unique(found_ND, axis=0)) == len(found_ND) == 3
        assert problem.costs(found_ND)["activations"].min() >= problem.costs(drawn_ND)["activations"].max()


def test_no_sample_is_below_the_smallest() -> None:
    for space in (fbnetv3.space(), imagenet.space()):
        drawn = _costs(space)(uniform(space, 50_000, np.random.default_rng(1)))
        for name, cost_N in drawn.items():
            assert smallest(space, _costs(space), name) <= cost_N.min()


def test_rare_feasible_candidates_are_spread_as_those_of_rejection() -> None:
    space = fbnetv3.space()
    problem = _problem(space, Limits(max_macs=450e6))
    ours_ND = sample_within(problem, 2_000, np.random.default_rng(2))
    blind_ND = _rejection(problem, 200, np.random.default_rng(3))
    ours, blind = (np.median(problem.costs(codes_ND)["macs"]) for codes_ND in (ours_ND, blind_ND))
    assert ours == pytest.approx(blind, rel=0.05)
    free = [column for column, size in enumerate(space.sizes_D) if size > 1]
    for column in free:
        assert len(np.unique(ours_ND[:, column])) >= min(2, len(np.unique(blind_ND[:, column])))


@given(
    macs=st.floats(1e4, 5e6), params=st.floats(3e3, 2e5), activations=st.floats(2e3, 2e5), seed=st.integers(0, 1_000)
)
def test_no_limit_is_ever_broken(macs: float, params: float, activations: float, seed: int) -> None:
    space = tiny.space()
    problem = _problem(space, Limits(max_macs=macs, max_params=params, max_activations=activations))
    try:
        drawn_ND = sample_within(problem, 50, np.random.default_rng(seed))
    except UnreachableLimit:
        drawn_ND = uniform(space, 20_000, np.random.default_rng(seed))
        assert not problem.feasible(drawn_ND).any()
    else:
        assert problem.feasible(drawn_ND).all()


def test_an_unreachable_limit_names_the_smallest_value() -> None:
    space = fbnetv3.space()
    least = smallest(space, _costs(space), "macs")
    with pytest.raises(UnreachableLimit, match=rf"max_macs is 1,000, the smallest found .* is {least:,.12g}"):
        sample_within(_problem(space, Limits(max_macs=1000, max_params=1e9)), 5, np.random.default_rng(0))


def test_a_pool_is_sampled_within_itself() -> None:
    space = tiny.space()
    pool = uniform(space, 300, np.random.default_rng(0))
    macs = _costs(space)(pool)["macs"]
    problem = _problem(space, Limits(max_macs=float(np.quantile(macs, 0.1))), pool=pool)
    drawn_ND = sample_within(problem, 20, np.random.default_rng(1))
    assert problem.feasible(drawn_ND).all()
    assert {row.tobytes() for row in drawn_ND} <= {row.tobytes() for row in pool}
    with pytest.raises(UnreachableLimit, match="smallest recorded"):
        sample_within(_problem(space, Limits(max_macs=1.0), pool=pool), 2, np.random.default_rng(1))


def test_the_same_seed_gives_the_same_candidates() -> None:
    problem = _problem(tiny.space(), Limits(max_macs=1e5))
    first, second, other = (sample_within(problem, 50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
