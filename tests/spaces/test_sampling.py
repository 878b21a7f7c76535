import numpy as np
from scipy import stats

from spaces.sampling import sobol, uniform
from tests.spaces.small import SPACE


def test_uniform_reaches_every_value_equally_often() -> None:
    codes_ND = uniform(SPACE, 4_000, np.random.default_rng(0))
    for column, size in enumerate(SPACE.sizes_D):
        active = codes_ND[codes_ND[:, column] >= 0, column]
        assert stats.chisquare(np.bincount(active, minlength=size)).pvalue > 1e-3
    assert (codes_ND[codes_ND[:, 2] == 1, 3] == -1).all()


def test_a_sobol_sequence_is_balanced_and_a_longer_one_begins_with_it() -> None:
    codes_ND = sobol(SPACE, 64, 5)
    assert np.bincount(codes_ND[:, 1]).tolist() == [8] * 8
    assert np.array_equal(sobol(SPACE, 40, 5), codes_ND[:40])
    assert sobol(SPACE, 0, 5).shape == (0, 4)
