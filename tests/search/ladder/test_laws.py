"""Laws of accuracy against the number of images."""

import numpy as np
import pytest

from search.ladder.laws import LAWS, fitted, held_out

COUNTS = np.repeat([100.0, 200.0, 400.0, 800.0], 3)
PLANTED = {
    "power": lambda count: 1 - np.exp(0.4 - 0.5 * np.log(count)),
    "logarithm": lambda count: 0.2 + 0.1 * np.log(count),
}


def noisy(law: str, generator: np.random.Generator) -> np.ndarray:
    """Accuracies that vary as counts of mistakes among 3,000 images do."""
    return generator.binomial(3000, PLANTED[law](COUNTS)) / 3000


@pytest.mark.parametrize("law", LAWS)
def test_a_planted_law_is_recovered(law: str) -> None:
    fit = fitted(law, COUNTS, PLANTED[law](COUNTS), judged=10_000)
    assert fit.coefficient_2 == pytest.approx({"power": [0.4, -0.5], "logarithm": [0.2, 0.1]}[law])
    assert fit.predict(1600, 3).accuracy == pytest.approx(PLANTED[law](1600.0))
    assert fit.gain(800, 2).accuracy == pytest.approx(PLANTED[law](1600.0) - PLANTED[law](800.0))


@pytest.mark.parametrize("law", LAWS)
def test_intervals_of_the_held_out_rung_hold_it_as_often_as_they_say(law: str) -> None:
    generator = np.random.default_rng(0)
    held = [held_out(law, COUNTS, noisy(law, generator), 10_000).holds for _ in range(300)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.04)


def test_intervals_of_a_gain_hold_it_as_often_as_they_say() -> None:
    generator, true = np.random.default_rng(1), float(PLANTED["power"](1600.0) - PLANTED["power"](800.0))
    gains = [fitted("power", COUNTS, noisy("power", generator), 10_000).gain(800, 2) for _ in range(60)]
    assert np.mean([one.low <= true <= one.high for one in gains]) > 0.85


def test_a_law_that_does_not_hold_misses_the_rung_that_it_has_not_seen() -> None:
    accuracy = PLANTED["power"](COUNTS) + np.random.default_rng(0).normal(0, 0.0005, len(COUNTS))
    assert held_out("power", COUNTS, accuracy, 10_000).holds
    nearer = {law: held_out(law, COUNTS, accuracy, 10_000) for law in LAWS}
    miss = {law: abs(one.predicted.accuracy - one.measured) for law, one in nearer.items()}
    assert miss["power"] < miss["logarithm"] / 5


def test_no_mistake_is_taken_for_half_a_mistake() -> None:
    fit = fitted("power", COUNTS, np.ones_like(COUNTS), judged=50)
    assert fit.predict(800, 1).accuracy == pytest.approx(0.99)


def test_two_numbers_of_images_are_no_law() -> None:
    with pytest.raises(ValueError, match="needs 3 different numbers"):
        fitted("power", COUNTS[:6], np.full(6, 0.5), judged=50)
