"""The arithmetic of Gaussian processes against scipy's density, differences and processes fitted without a row."""

import numpy as np
import pytest
from scipy.linalg import LinAlgError
from scipy.stats import multivariate_normal

from predictors.parts.gaussian import (
    factorise,
    leave_one_out,
    likelihood_slope,
    negative_log_likelihood,
    solve,
    squared_distances,
)


def _case(size: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """A covariance and targets."""
    rng = np.random.default_rng(0)
    root_NN = rng.normal(size=(size, size))
    return root_NN @ root_NN.T + 0.3 * np.eye(size), rng.normal(size=size)


def _loss(covariance_NN: np.ndarray, t_N: np.ndarray) -> float:
    factor_NN = factorise(covariance_NN)
    return negative_log_likelihood(factor_NN, t_N, solve(factor_NN, t_N))


def test_the_likelihood_is_the_density_of_the_targets() -> None:
    covariance_NN, t_N = _case()
    density = multivariate_normal(np.zeros(len(t_N)), covariance_NN).logpdf(t_N)
    assert _loss(covariance_NN, t_N) == pytest.approx(-density - 0.5 * len(t_N) * np.log(2 * np.pi))


def test_its_slope_is_that_of_differences() -> None:
    covariance_NN, t_N = _case(5)
    inverse_NN = solve(factorise(covariance_NN), np.eye(5))
    slope_NN = likelihood_slope(inverse_NN, inverse_NN @ t_N)
    for i, j in np.ndindex(5, 5):
        step_NN = np.zeros((5, 5))
        step_NN[i, j] += 5e-7  # both entries of a pair move, so that the covariance stays symmetric
        step_NN[j, i] += 5e-7
        difference = _loss(covariance_NN + step_NN, t_N) - _loss(covariance_NN - step_NN, t_N)
        assert difference / 2e-6 == pytest.approx(slope_NN[i, j], rel=1e-5, abs=1e-7)


def test_a_row_left_out_is_predicted_by_the_others() -> None:
    covariance_NN, t_N = _case()
    inverse_NN = np.linalg.inv(covariance_NN)
    residual_N, variance_N = leave_one_out(np.diag(inverse_NN), inverse_NN @ t_N)
    for row in range(len(t_N)):
        others = np.delete(np.arange(len(t_N)), row)
        weights = np.linalg.solve(covariance_NN[np.ix_(others, others)], covariance_NN[others, row])
        assert residual_N[row] == pytest.approx(t_N[row] - weights @ t_N[others])
        assert variance_N[row] == pytest.approx(covariance_NN[row, row] - weights @ covariance_NN[others, row])


def test_a_singular_covariance_is_shifted_as_little_as_it_takes() -> None:
    ones_NN = np.ones((4, 4))
    factor_NN = factorise(ones_NN)
    shift = (factor_NN @ factor_NN.T - ones_NN)[0, 0]
    assert 0 <= shift <= 1e-6
    np.testing.assert_allclose(factorise(ones_NN, [0.5]) @ factorise(ones_NN, [0.5]).T, ones_NN + 0.5 * np.eye(4))
    with pytest.raises(LinAlgError, match="stays indefinite"):
        factorise(-np.eye(3))
    with pytest.raises(LinAlgError, match="stays indefinite"):
        factorise(np.full((2, 2), np.nan))


def test_squared_distances_are_sums_of_squared_differences() -> None:
    a_NF, b_MF = np.random.default_rng(1).normal(size=(2, 5, 3))
    np.testing.assert_allclose(squared_distances(a_NF, b_MF), ((a_NF[:, None] - b_MF) ** 2).sum(axis=2))
    assert (squared_distances(a_NF, a_NF).diagonal() >= 0).all()
