"""What 3 x 3 filters are like."""

import math

import numpy as np
import pytest

from trainables.assess.filters import orthogonality, sparsity, variance_entropy


def test_filters_like_noise_have_nearly_the_largest_entropy() -> None:
    weight = np.random.default_rng(0).normal(size=(64, 64, 3, 3))
    assert variance_entropy(weight) == pytest.approx(math.log10(9), abs=2e-3)
    assert sparsity(weight, 0.01) == 0.0


def test_filters_along_one_line_have_none() -> None:
    line = np.random.default_rng(0).normal(size=(1, 1, 3, 3))
    assert variance_entropy(np.arange(8.0).reshape(-1, 1, 1, 1) * line) == pytest.approx(0.0, abs=1e-9)
    assert variance_entropy(np.repeat(line, 8, axis=0)) == 0.0


def test_filters_that_do_nothing_are_counted() -> None:
    weight = np.ones((2, 3, 3, 3))
    weight[0, 1], weight[1, 2] = 0.0, 0.005
    assert sparsity(weight, 0.01) == pytest.approx(2 / 6)


def test_orthogonal_and_equal_channels() -> None:
    assert orthogonality(np.eye(9).reshape(9, 1, 3, 3)) == pytest.approx(1.0)
    assert orthogonality(np.ones((4, 1, 3, 3))) == pytest.approx(0.0)
