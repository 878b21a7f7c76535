"""Agreement measures and the scale of targets."""

import numpy as np
import pytest

from predictors.gp import milestone
from predictors.parts.agreement import best_per_group, interval_coverage, kendall_tau, tau_in_top_quarter, top_k_regret
from predictors.parts.targets import targets
from predictors.protocol import Prediction


def test_a_constant_prediction_orders_nothing() -> None:
    assert kendall_tau(np.ones(5), np.arange(5.0)) == 0.0


def test_top_quarter_ignores_the_rest() -> None:
    truth_N = np.arange(16.0)
    assert tau_in_top_quarter(np.where(truth_N < 12, -truth_N, truth_N), truth_N) == 1.0


def test_top_k_regret_by_hand() -> None:
    assert top_k_regret(np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.0, 2.0]), k=2) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="1 <= k <= 3"):
        top_k_regret(np.arange(3.0), np.arange(3.0), k=4)


def test_best_per_group_by_hand() -> None:
    predicted_G, truth_G = best_per_group(np.array([1.0, 5.0, 2.0]), np.array([3.0, 1.0, 4.0]), [0, 0, 1])
    assert predicted_G.tolist() == [5.0, 2.0]
    assert truth_G.tolist() == [3.0, 4.0]


def test_coverage_counts_noise_only_when_told() -> None:
    prediction = Prediction(mean_N=np.zeros(2), std_N=np.full(2, 1.0), noise_std=1.0)
    assert interval_coverage(prediction, np.array([0.0, 2.0])) == 0.5
    assert interval_coverage(prediction, np.array([0.0, 2.0]), noisy=True) == 1.0


def test_targets_are_increasing_and_invertible() -> None:
    y_N = np.random.default_rng(0).lognormal(size=40)
    scale = targets(y_N)
    np.testing.assert_allclose(scale.scores(scale.t_N), y_N)
    t = np.linspace(-5, 5, 50)
    assert (np.diff(scale.scores(t)) > 0).all()
    np.testing.assert_allclose(scale.of(scale.scores(t)), t, atol=1e-9)


def test_milestones_grow_by_a_sixteenth() -> None:
    reached = [milestone(size) for size in range(1, 400)]
    assert all(m <= size < m * 17 / 16 + 1 for size, m in enumerate(reached, start=1))
    assert len(set(reached)) < 75
