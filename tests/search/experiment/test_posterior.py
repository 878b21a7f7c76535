"""The posterior choice against numerical integration and against picking the luckiest run."""

import numpy as np
import pytest

from predictors.protocol import Prediction
from search.experiment.posterior import best_of_each_budget, noise_variance, posterior


def belief(means, stds, noise=0.1):
    return Prediction(mean_N=np.array(means, dtype=float), std_N=np.array(stds, dtype=float), noise_std=noise)


def test_posterior_equals_numerical_integration():
    prior, runs = belief([0.5], [0.2], noise=0.1), [[0.9, 0.8]]
    noise, score = noise_variance(0.1, runs), np.linspace(-2, 3, 20001)
    # Shift d ~ N(0, 0.2^2) shared by all predictions, then score ~ N(0.5 + d, 0.2^2); d is replaced by its mean.
    shift = (0.85 - 0.5) / (0.04 + noise / 2) / (1 / (0.04 + noise / 2) + 1 / 0.04)
    density = np.exp(
        -0.5 * (score - 0.5 - shift) ** 2 / 0.04 - sum((run - score) ** 2 for run in runs[0]) / (2 * noise)
    )
    mean = (score * density).sum() / density.sum()
    std = np.sqrt(((score - mean) ** 2 * density).sum() / density.sum())
    mean_N, std_N = posterior(prior, runs)
    assert mean_N[0] == pytest.approx(mean, abs=1e-6)
    assert std_N[0] == pytest.approx(std, abs=1e-6)


def test_without_fresh_runs_the_prediction_stands():
    mean_N, std_N = posterior(belief([0.1, 0.3], [0.2, 0.1]), [[], []])
    assert mean_N == pytest.approx([0.1, 0.3])
    assert std_N == pytest.approx([0.2, 0.1])


def test_one_lucky_run_does_not_beat_many_good_ones():
    repeats = [[0.80], [0.74, 0.75, 0.76, 0.75], [0.3]]
    mean_N, _ = posterior(belief([0.5, 0.7, 0.4], [0.05, 0.05, 0.05]), repeats)
    assert best_of_each_budget(mean_N, np.zeros(3, dtype=np.int64), 1, 1) == [[1]]


def test_over_optimism_is_taken_off_contenders_that_were_not_repeated():
    prior = belief([0.90, 0.91, 0.5], [0.1, 0.1, 0.1], 0.02)
    alone, _ = posterior(prior, [[], [], []])
    mean_N, _ = posterior(prior, [[0.7, 0.72], [], [0.3]])
    assert alone[1] == pytest.approx(0.91)
    assert 0.71 < mean_N[1] < 0.80  # the other two fell by 0.2, which it follows by two thirds


@pytest.mark.parametrize(
    ("value", "band", "chosen"),
    [
        ([3, 2, 1], [2, 1, 0], [[2], [1], [0]]),  # each budget gets the best that needs it
        ([1, 9, 2], [0, 0, 1], [[1, 0], [2], []]),  # though a cheap one is better
        ([5, 7, 6], [0, 0, 0], [[1, 2], [], []]),  # none needs the others
        ([5, 7, 6], [2, 1, 1], [[], [1, 2], [0]]),  # nothing fits the first
        ([5, 5], [0, 0], [[0, 1], [], []]),  # of equals the first
        ([5], [3], [[], [], []]),  # fits none
    ],
)
def test_the_best_two_of_each_budget(value, band, chosen):
    assert best_of_each_budget(np.array(value, dtype=float), np.array(band), 3, 2) == chosen


def test_noise_is_pooled_from_repeats_and_the_guess():
    assert noise_variance(0.0, [[1.0, 3.0], [5.0]]) == pytest.approx(2.0)
    assert noise_variance(1.0, [[1.0, 3.0], [5.0]]) == pytest.approx((4 * 1.0 + 2.0) / 5)


@pytest.mark.parametrize(("repeats", "message"), [([[]], "lists of fresh runs"), ([[np.nan], [], []], "not finite")])
def test_bad_runs(repeats, message):
    with pytest.raises(ValueError, match=message):
        posterior(belief([1, 2, 3], [1, 1, 1]), repeats)


def test_the_posterior_choice_loses_less_than_the_luckiest_run():
    """400 simulated choices among five contenders, two fresh runs each, predictions 2/3 as good as one run."""
    rng, lost = np.random.default_rng(0), {"posterior": 0.0, "luckiest": 0.0}
    for _ in range(400):
        truth = rng.normal(size=5)
        prior = belief(truth + rng.normal(scale=1.5, size=5), np.full(5, 1.5), noise=1.0)
        repeats = (truth[:, None] + rng.normal(size=(5, 2))).tolist()
        ((row,),) = best_of_each_budget(posterior(prior, repeats)[0], np.zeros(5, dtype=np.int64), 1, 1)
        lost["posterior"] += truth.max() - truth[row]
        lost["luckiest"] += truth.max() - truth[np.argmax(np.max(repeats, axis=1))]
    assert lost["posterior"] < 0.9 * lost["luckiest"]
