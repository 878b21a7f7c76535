"""Laws of accuracy against the number of images."""

import numpy as np
import pytest

from search.ladder.laws import FLOORED, LAWS, FittedFloor, FittedLine, fitted, held_out

COUNTS = np.repeat([100.0, 200.0, 400.0, 800.0], 3)
PLANTED = {
    "power": lambda count: 1 - np.exp(0.4 - 0.5 * np.log(count)),
    "logarithm": lambda count: 0.2 + 0.1 * np.log(count),
    FLOORED: lambda count: 0.9 - np.exp(2.0 - 0.7 * np.log(count)),
}
COEFFICIENTS = {"power": [0.4, -0.5], "logarithm": [0.2, 0.1], FLOORED: [0.1, 2.0, 0.7]}


def noisy(law: str, generator: np.random.Generator) -> np.ndarray:
    """Accuracies that vary as counts of mistakes among 3,000 images do."""
    return generator.binomial(3000, PLANTED[law](COUNTS)) / 3000


@pytest.mark.parametrize("law", LAWS)
def test_a_planted_law_is_recovered(law: str) -> None:
    fit = fitted(law, COUNTS, PLANTED[law](COUNTS), judged=10_000)
    assert isinstance(fit, FittedLine | FittedFloor)
    found = fit.coefficient_2 if isinstance(fit, FittedLine) else fit.coefficient_3
    assert found == pytest.approx(COEFFICIENTS[law], rel=1e-4)
    assert fit.predict(1600, 3).accuracy == pytest.approx(PLANTED[law](1600.0))
    assert fit.gain(800, 2).accuracy == pytest.approx(PLANTED[law](1600.0) - PLANTED[law](800.0))


@pytest.mark.parametrize("law", LAWS)
def test_intervals_of_the_held_out_rung_hold_it_as_often_as_they_say(law: str) -> None:
    generator = np.random.default_rng(0)
    held = [held_out(law, COUNTS, noisy(law, generator), 10_000).holds for _ in range(300)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize("law", ["power", FLOORED])
def test_intervals_of_a_gain_hold_it_as_often_as_they_say(law: str) -> None:
    generator, true = np.random.default_rng(1), float(PLANTED[law](1600.0) - PLANTED[law](800.0))
    gains = [fitted(law, COUNTS, noisy(law, generator), 10_000).gain(800, 2) for _ in range(60)]
    assert np.mean([one.low <= true <= one.high for one in gains]) > 0.85


def test_a_law_that_does_not_hold_misses_the_rung_that_it_has_not_seen() -> None:
    accuracy = PLANTED["power"](COUNTS) + np.random.default_rng(0).normal(0, 0.0005, len(COUNTS))
    assert held_out("power", COUNTS, accuracy, 10_000).holds
    nearer = {law: held_out(law, COUNTS, accuracy, 10_000) for law in LAWS}
    miss = {law: abs(one.predicted.accuracy - one.measured) for law, one in nearer.items()}
    assert miss["power"] < miss["logarithm"] / 5


def test_a_floor_is_seen_where_a_power_promises_too_much() -> None:
    accuracy = PLANTED[FLOORED](COUNTS) + np.random.default_rng(0).normal(0, 0.0005, len(COUNTS))
    assert held_out(FLOORED, COUNTS, accuracy, 10_000).holds
    promised, true = held_out("power", COUNTS, accuracy, 10_000), float(PLANTED[FLOORED](800.0))
    assert not promised.holds
    assert promised.predicted.accuracy > true + 0.005


@pytest.mark.parametrize("accuracy", [1.0, 0.5, 0.0])
def test_accuracies_that_are_all_alike_promise_nothing(accuracy: float) -> None:
    for law in LAWS:
        fit = fitted(law, COUNTS, np.full_like(COUNTS, accuracy), judged=10_000)
        assert fit.gain(800, 2).accuracy == pytest.approx(0, abs=1e-3)
        assert fit.predict(1600, 1).accuracy == pytest.approx(accuracy, abs=1e-3)


def test_no_mistake_is_taken_for_half_a_mistake() -> None:
    fit = fitted("power", COUNTS, np.ones_like(COUNTS), judged=50)
    assert fit.predict(800, 1).accuracy == pytest.approx(0.99)


def test_two_numbers_of_images_are_no_law() -> None:
    with pytest.raises(ValueError, match="needs 3 different numbers"):
        fitted("power", COUNTS[:6], np.full(6, 0.5), judged=50)
