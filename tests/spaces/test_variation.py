import numpy as np
import pytest

from spaces import tiny
from spaces.dimensions import Choice
from spaces.sampling import uniform
from spaces.space import Space
from spaces.variation import cross_over, mutate, neighbours
from tests.spaces.test_sampling import SPACE


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


def test_a_child_has_only_its_parents_genes() -> None:
    rng = np.random.default_rng(2)
    a_ND, b_ND = uniform(SPACE, 1_000, rng), uniform(SPACE, 1_000, rng)
    child_ND = cross_over(SPACE, a_ND, b_ND, rng)
    active = child_ND >= 0
    assert ((child_ND == a_ND) | (child_ND == b_ND))[active].all()
    differs = a_ND[:, 1] != b_ND[:, 1]
    assert (child_ND[differs, 1] == a_ND[differs, 1]).mean() == pytest.approx(0.5, abs=0.06)


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
    rng = np.random.default_rng(0)
    two_ND, three_ND = uniform(SPACE, 2, rng), uniform(SPACE, 3, rng)
    with pytest.raises(ValueError, match="as many first as second"):
        cross_over(SPACE, two_ND, three_ND, rng)
