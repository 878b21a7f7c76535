import numpy as np
import pytest

from search.replay.curves import play
from search.replay.rules import Regret
from search.stopping.forecast import accuracy_of
from search.stopping.regret import Ended, RegretRule, decision_epochs, expected_excess
from tests.processes import elsewhere
from tests.search.curves import crossing


def taught(numbers=range(20), tolerance=0.01):
    """A rule that knows some trials in full, in the order given."""
    curves = crossing()
    rule = RegretRule(epochs=20, trials=60, tolerance=tolerance)
    for n in numbers:
        rule.end(n, Ended(curve=tuple(curves.curve_NE[n]), trait_C=curves.trait_NC[n], band=int(curves.band_N[n])))
    return rule, curves


def decisions(rule, curves, epoch=5):
    return [rule.goes_on(curves.curve_NE[n, :epoch], curves.trait_NC[n], int(curves.band_N[n])) for n in range(20, 60)]


def test_expected_excess_is_that_of_draws():
    mean_N, std_N = np.array([-1.6, -1.9, -1.2]), np.array([0.3, 0.1, 0.5])
    drawn = accuracy_of(np.random.default_rng(0).normal(mean_N, std_N, size=(400_000, 3))).max(axis=1)
    for best in (0.7, 0.8, 0.87):
        assert expected_excess(best, mean_N, std_N) == pytest.approx(np.maximum(drawn - best, 0).mean(), rel=0.05)
    assert expected_excess(0.9, np.zeros(0), np.zeros(0)) == 0


def test_decisions_are_dense_at_first_and_never_at_the_end():
    assert decision_epochs(52)[:6] == [1, 2, 3, 4, 5, 6]
    for epochs in (2, 3, 10, 52, 300):
        at = decision_epochs(epochs)
        assert at[0] == 1
        assert at[-1] < epochs
        assert len(at) <= 40
    assert decision_epochs(1) == []


def test_nothing_stops_before_there_are_curves_to_judge_by():
    rule, curves = taught(range(7))
    assert all(decisions(rule, curves))
    rule, curves = taught(range(8))
    assert not all(decisions(rule, curves))


def test_the_worst_stop_and_the_best_go_on():
    rule, curves = taught()
    goes_on = np.array(decisions(rule, curves))
    final_N = curves.curve_NE[20:, -1]
    assert goes_on[np.argmax(final_N)]
    assert not goes_on[np.argsort(final_N)[:10]].any()


def test_a_larger_tolerance_stops_more():
    epochs = [sum(decisions(*taught(tolerance=tolerance))) for tolerance in (1e-6, 0.01, 0.5)]
    assert epochs[0] > epochs[1] > epochs[2]


def test_a_candidate_competes_only_with_those_that_cost_no_more():
    """One between the best cheap and the best dear trial goes on as a cheap one, and stops as a dear one."""
    rule, curves = taught()
    final_N = curves.curve_NE[:, -1]
    middle = np.median(final_N[:20])
    for n in range(20):
        band = int(final_N[n] > middle)
        rule.end(n, Ended(curve=tuple(curves.curve_NE[n]), trait_C=curves.trait_NC[n], band=band))
    between = 20 + int(np.argmin(np.abs(final_N[20:] - middle - 0.02)))
    curve, trait_C = curves.curve_NE[between, : decision_epochs(20)[-2]], curves.trait_NC[between]
    assert rule.goes_on(curve, trait_C, 0)
    assert not rule.goes_on(curve, trait_C, 1)


def test_a_band_without_a_whole_trial_stops_nothing():
    rule, curves = taught()
    for n, e in list(rule._ended.items()):
        rule.end(n, Ended(curve=e.curve, trait_C=e.trait_C, band=2))
    assert rule.goes_on(curves.curve_NE[30, :3], curves.trait_NC[30], 1)


def test_the_order_in_which_trials_ended_does_not_matter():
    forwards, backwards = taught(range(20)), taught(range(19, -1, -1))
    assert decisions(*forwards) == decisions(*backwards)


def test_stopped_trials_are_scored_by_forecast_and_whole_ones_as_measured():
    rule, curves = taught()
    for n in range(20, 60):
        rule.end(n, Ended(curve=tuple(curves.curve_NE[n, :3]), trait_C=curves.trait_NC[n], band=0))
    told_N, true_N = np.array(rule.finals(range(60))), curves.curve_NE[:, -1]
    assert np.array_equal(told_N[:20], true_N[:20])
    assert np.abs(told_N[20:] - true_N[20:]).mean() < 0.3 * np.abs(curves.curve_NE[20:, 2] - true_N[20:]).mean()


def test_a_replay_keeps_nearly_the_best_for_a_part_of_the_cost():
    played = [play(crossing(trials=80, seed=seed), Regret) for seed in range(4)]
    assert np.mean([figures["cost"] for figures in played]) < 0.6
    assert np.mean([figures["regret"] for figures in played]) < 0.02


def some_decisions():
    return decisions(*taught())


def test_another_process_decides_the_same():
    assert elsewhere(some_decisions) == some_decisions()
