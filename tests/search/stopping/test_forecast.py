import numpy as np
import pytest
from scipy.stats import kendalltau

from search.stopping.forecast import FEWEST, Forecaster, accuracy_of, log_error
from tests.search.curves import crossing

EPOCH = 4


def held_out(seed: int, known: int = 40):
    curves = crossing(trials=known + 200, seed=seed)
    forecast = Forecaster(curves.curve_NE[:known], curves.trait_NC[:known], EPOCH)
    mean_M, std_M = forecast(curves.curve_NE[known:, :EPOCH], curves.trait_NC[known:])
    return mean_M, std_M, log_error(curves.curve_NE[known:, -1]), log_error(curves.curve_NE[known:, EPOCH - 1])


def test_log_error_is_undone():
    accuracy_N = np.linspace(0, 1, 11)
    assert accuracy_of(log_error(accuracy_N)) == pytest.approx(accuracy_N)


def test_a_forecast_ranks_better_than_the_last_accuracy():
    for seed in range(3):
        mean_M, _, true_M, last_M = held_out(seed)
        assert kendalltau(mean_M, true_M).statistic > kendalltau(last_M, true_M).statistic + 0.1


def test_intervals_cover_what_they_say():
    covered = []
    for seed in range(6):
        mean_M, std_M, true_M, _ = held_out(seed)
        covered.append(np.mean(np.abs(true_M - mean_M) < 1.645 * std_M))
    assert 0.82 < np.mean(covered) < 0.97


def test_a_curve_that_is_known_to_the_end_but_one_is_surer_than_a_young_one():
    curves = crossing()
    stds = [Forecaster(curves.curve_NE[:40], curves.trait_NC[:40], epoch)(
        curves.curve_NE[40:, :epoch], curves.trait_NC[40:])[1].mean() for epoch in (1, 19)]  # fmt: skip
    assert stds[1] < 0.5 * stds[0]


def test_only_the_known_epochs_are_read():
    curves = crossing()
    forecast = Forecaster(curves.curve_NE[:20], curves.trait_NC[:20], EPOCH)
    early, whole = (forecast(curves.curve_NE[20:, :end], curves.trait_NC[20:])[0] for end in (EPOCH, 20))
    assert np.array_equal(early, whole)


def test_equal_curves_and_traits_that_do_not_vary_are_no_trouble():
    curve_NE = np.tile([0.2, 0.4, 0.5], (FEWEST, 1))
    mean_M, std_M = Forecaster(curve_NE, np.ones((FEWEST, 2)), 1)(curve_NE[:1, :1], np.ones((1, 2)))
    assert accuracy_of(mean_M) == pytest.approx(0.5)
    assert np.isfinite(std_M).all()


def test_too_few_curves_are_refused():
    curves = crossing()
    with pytest.raises(ValueError, match="7 curves were given; a forecast needs at least 8"):
        Forecaster(curves.curve_NE[:7], curves.trait_NC[:7], 2)


def test_a_forecast_is_that_of_a_forecaster_that_was_written_before() -> None:
    epoch_E = np.arange(12.0)
    curve_NE = np.stack(
        [0.9 - 0.6 * np.exp(-(0.1 + 0.02 * n) * epoch_E) + 0.01 * np.sin(n * epoch_E) for n in range(20)]
    )
    trait_NC = np.stack([np.cos(np.arange(20.0)), np.arange(20.0) % 3], axis=1)
    mean_M, std_M = Forecaster(curve_NE[:15], trait_NC[:15], 4)(curve_NE[15:, :4], trait_NC[15:])
    expected = [-2.113454972401405, -2.1920590557482384, -2.277099707850007, -2.145553120665999, -2.127991771025149]
    np.testing.assert_allclose(mean_M, expected, rtol=1e-9)
    spread = [0.13569905910516405, 0.12218778170913544, 0.13491110566662484, 0.12608863663494727, 0.12988331186756621]
    np.testing.assert_allclose(std_M, spread, rtol=1e-9)
