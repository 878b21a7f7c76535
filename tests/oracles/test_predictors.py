"""Predictors against installed packages and brute force."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from predictors.mlp import huber
from predictors.parts.agreement import kendall_tau
from predictors.parts.geometry import Dimensions, Geometry
from predictors.parts.kernel import Hyperparameters, Inputs
from predictors.parts.process import condition

NONE = Dimensions(ordinal_D=np.zeros(0, dtype=bool), repeated_D=np.zeros(0, dtype=np.intp))


def test_the_posterior_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    z_NK, new_MK, t_N = rng.normal(size=(20, 3)), rng.normal(size=(7, 3)), rng.normal(size=20)
    none = np.zeros(0)
    at = Hyperparameters(
        product_D=none,
        additive_D=none,
        statistics_K=np.log([1.0, 2.0, 0.5]),
        variances_5=np.array([-40.0, 0.0, 0.0, 0.0, -40.0]),
        noise=float(np.log(0.1)),
        geometry=Geometry.flat(NONE),
    )
    oracle = GaussianProcessRegressor(Matern([1.0, 2.0, 0.5], nu=2.5), alpha=0.1, optimizer=None).fit(z_NK, t_N)

    def rows(values_NK: np.ndarray) -> Inputs:
        return Inputs(level_ND=np.zeros((len(values_NK), 0)), dims=NONE, z_NK=values_NK)

    mean_M, std_M = condition(rows(z_NK), t_N, at)(rows(new_MK))
    expected_M, spread_M = oracle.predict(new_MK, return_std=True)
    np.testing.assert_allclose(mean_M, expected_M, atol=1e-8)
    np.testing.assert_allclose(std_M, spread_M, atol=1e-7)


def test_huber_is_that_of_torch() -> None:
    score_BN, t_N = torch.randn(2, 30, generator=torch.Generator().manual_seed(0)) * 3, torch.linspace(-2, 2, 30)
    expected = sum(torch.nn.HuberLoss()(score_N, t_N) for score_N in score_BN)
    torch.testing.assert_close(huber(score_BN, t_N, torch.ones(2, 30)), expected)


def test_tau_counts_pairs() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, 25))
    signs = [np.sign((a[i] - a[j]) * (b[i] - b[j])) for i, j in itertools.combinations(range(25), 2)]
    assert kendall_tau(a, b) == pytest.approx(np.mean(signs))
