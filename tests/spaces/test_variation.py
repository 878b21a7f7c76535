import numpy as np
import pytest

from spaces import tiny
from spaces.dimensions import Choice
from spaces.sampling import uniform
from spaces.space import INACTIVE, Space
from spaces.variation import breed, mutate, neighbours
from tests.spaces.small import SPACE


def test_the_rate_is_the_share_of_genes_that_change() -> None:
    space = tiny.space()
    codes_ND = uniform(space, 4_000, np.random.default_rng(0))
    mutated_ND = mutate(space, codes_ND, np.random.default_rng(1), 0.25)
    both = (codes_ND >= 0) & (mutated_ND >= 0) & (space.sizes_D > 1)
    assert (mutated_ND != codes_ND)[both].mean() == pytest.approx(0.25, abs=0.01)


def test_a_rate_of_zero_changes_one_gene_and_what_depends_on_it() -> None:
    codes_ND = uniform(SPACE, 2_000, np.random.default_rng(0))
    changed_ND = mutate(SPACE, codes_ND, np.random.default_rng(1), 0.0) != codes_ND
    assert (changed_ND[:, :3].sum(axis=1) <= 1).all()
    assert changed_ND[:, :3].any(axis=0).all()


def test_children_are_members_and_most_differ_from_their_parents() -> None:
    space = tiny.space()
    parents_ND = uniform(space, 5, np.random.default_rng(0))
    children_ND = breed(space, parents_ND, 2_000, np.random.default_rng(1))
    assert len(children_ND) == 2_000
    assert space.contains(children_ND).all()
    assert (children_ND[:, None] == parents_ND[None]).all(axis=2).any(axis=1).mean() < 0.1
    assert (children_ND == INACTIVE).any()
    assert (children_ND == breed(space, parents_ND, 2_000, np.random.default_rng(1))).all()


CHAIN = Space(
    name="chain",
    backbone="mobile",
    architecture={f"g.{i}": Choice(values=tuple(range(6))) for i in range(20)},
    recipe={},
)


def test_children_without_cross_over_change_at_most_four_genes() -> None:
    parent_ND = uniform(CHAIN, 1, np.random.default_rng(0))
    changes_N = (breed(CHAIN, parent_ND, 500, np.random.default_rng(2)) != parent_ND).sum(axis=1)
    assert 0 < changes_N.max() <= 4


def test_half_of_the_children_have_genes_of_both_parents() -> None:
    parents_ND = np.repeat(np.array([[0], [5]], dtype=np.int16), 20, axis=1)
    children_ND = breed(CHAIN, parents_ND, 4_000, np.random.default_rng(3))
    first_N, second_N = (children_ND == 0).sum(axis=1), (children_ND == 5).sum(axis=1)
    assert (20 - first_N - second_N).max() <= 4  # the rest are new values
    mixed_N = np.minimum(first_N, second_N) > 4
    assert mixed_N[2_000:].sum() == 0
    assert mixed_N[:2_000].mean() == pytest.approx(0.5, abs=0.05)  # the two parents are different ones half of the time
    assert (children_ND[:2_000][mixed_N[:2_000]] == 0).mean() == pytest.approx(0.5, abs=0.05)


def test_neighbours_are_all_single_changes_once() -> None:
    found_MD = neighbours(SPACE, np.array([0, 3, 1, -1], dtype=np.int16))
    assert len(found_MD) == 2 + 7 + 1
    assert len(np.unique(found_MD, axis=0)) == len(found_MD)
    assert found_MD[-1].tolist() == [0, 3, 0, 2]  # the dimension that was switched on takes its middle value


def test_what_cannot_be_varied_is_refused() -> None:
    single = Space(name="one", backbone="mobile", architecture={"a": Choice(values=(1,))}, recipe={})
    with pytest.raises(ValueError, match="nothing can be mutated"):
        mutate(single, np.zeros((2, 1), dtype=np.int16), np.random.default_rng(0), 0.5)
    with pytest.raises(ValueError, match=r"given 1\.5"):
        mutate(SPACE, uniform(SPACE, 2, np.random.default_rng(0)), np.random.default_rng(0), 1.5)
