"""Networks beside references: the intervals, and what they bear."""

import math
from collections import Counter
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import binomtest

from search.family.comparison import Comparison, Examined, compare, newcombe, wilson

IMAGES = 500


def answers(accuracy: float) -> np.ndarray:
    """Right answers to the easiest images: two of these differ in as few as they can."""
    return np.arange(IMAGES) < round(accuracy * IMAGES)


def examined(name: str, macs: int, accuracy: float, **more: object) -> Examined:
    return Examined(name=name, pair=name, macs=macs, right_N=answers(accuracy), search_accuracy=accuracy, **more)  # type: ignore[arg-type]


CURVE = [examined("small", 10_000, 0.80), examined("middle", 40_000, 0.90), examined("large", 160_000, 0.96)]


def compared(macs: int, accuracy: float, budget: float | None = None) -> Comparison:
    comparison = compare(examined("member", macs, accuracy), CURVE, budget)
    assert comparison is not None
    return comparison


def test_answers_without_relation_have_the_interval_of_independent_shares() -> None:
    """Newcombe's hybrid score interval: the distances of Wilson's limits, added in squares."""
    one_N, other_N = np.tile([True, True, True, False], 20), np.repeat([True, True, True, False], 20)
    assert (one_N & other_N).mean() == one_N.mean() * other_N.mean()
    low, high = wilson(0.75, 80)
    half = math.hypot(0.75 - low, high - 0.75)
    assert newcombe(one_N, other_N) == pytest.approx((-half, half))


@pytest.mark.parametrize("share", [0.7, 0.98])
def test_the_interval_of_a_difference_holds_it_as_often_as_it_says(share: float) -> None:
    rng, inside = np.random.default_rng(0), 0
    for _ in range(1000):
        hard_N = rng.normal(size=360)  # images that are hard for one are hard for the other
        one_N, other_N = (hard_N + 0.7 * rng.normal(size=360) < _threshold(goal) for goal in (share, share - 0.02))
        low, high = newcombe(one_N, other_N)
        inside += low <= 0.02 <= high
    assert 0.93 <= inside / 1000 <= 0.985


@pytest.mark.parametrize(("right", "count"), [(0, 10), (0, 20), (7, 20), (359, 360), (360, 360), (3, 3)])
def test_wilson_equals_scipys(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right / count, count) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_what_references_need_is_read_off_their_curve() -> None:
    comparison = compared(5_000, 0.85)
    assert comparison.equal_macs == pytest.approx(20_000)
    assert comparison.verdict == "fewer macs"
    assert comparison.low_macs is not None
    assert comparison.high_macs is not None
    assert 10_000 < comparison.low_macs < 20_000 < comparison.high_macs < 40_000
    for words in ("as accurate as references of 20k macs", "at 4 times fewer macs (95 %: "):
        assert words in comparison.sentence


def test_a_reference_that_is_worse_than_a_smaller_one_does_not_count() -> None:
    dented = [*CURVE, examined("dent", 80_000, 0.5)]
    comparison = compare(examined("member", 5_000, 0.93), dented, None)
    assert comparison is not None
    assert comparison.equal_macs == pytest.approx(math.exp(math.log(80_000) + 0.5 * math.log(2)), rel=0.01)


def test_none_reaches_it() -> None:
    comparison = compared(20_000, 1.0)
    assert comparison.verdict == "none reaches it"
    assert comparison.equal_macs is comparison.low_macs is comparison.high_macs is None
    assert comparison.sentence == "no reference reaches it; the largest, of 160k macs, has 8.0 times its macs"
    assert "is smaller than it" in compared(400_000, 1.0).sentence


def test_above_all_without_being_shown_to_be() -> None:
    comparison = compared(20_000, 0.962)
    assert comparison.equal_macs is None
    assert comparison.low_macs is not None
    assert comparison.verdict == "fewer macs"
    assert "at least" in comparison.sentence
    assert compared(150_000, 0.962).verdict == "no difference is shown"


def test_worse_than_its_reference() -> None:
    comparison = compared(38_000, 0.82, budget=40_000)
    assert comparison.reference == "middle"
    assert comparison.verdict == "worse"
    assert comparison.sentence.startswith(
        "worse than its reference (middle, 40k macs): -8.0 points of test accuracy (95 %: "
    )


def test_more_accurate_without_fewer_macs_says_both() -> None:
    """Ahead of the reference of its budget, with more macs than that reference: of its own macs nothing is claimed."""
    comparison = compared(60_000, 0.931, budget=80_000)
    assert comparison.verdict == "more accurate"
    assert comparison.difference_low is not None
    assert comparison.difference_low > 0
    assert comparison.low_macs is not None
    assert comparison.low_macs <= comparison.macs
    for words in (
        "more accurate than its reference (middle, 40k macs): +3.",
        "fewer macs than references of its accuracy is",
    ):
        assert words in comparison.sentence


def test_no_difference_is_no_claim() -> None:
    comparison = compared(38_000, 0.898, budget=40_000)
    assert comparison.verdict == "no difference is shown"
    for words in ("no difference from the references is shown (middle, 40k macs): -0.2 points", "95 %: "):
        assert words in comparison.sentence


def test_a_budget_below_every_reference() -> None:
    comparison = compared(5_000, 0.60, budget=6_000)
    assert comparison.reference is None
    assert (comparison.equal_macs, comparison.verdict) == (0, "none is as cheap")
    assert comparison.sentence == "no reference is as cheap; the smallest has 10k macs"
    assert compared(12_000, 0.60, budget=16_000).verdict == "worse"
    assert "95 %: below 0.83 to " in compared(12_000, 0.79, budget=16_000).sentence


def test_a_member_that_was_written_by_hand_is_called_so() -> None:
    comparison = compare(replace(CURVE[1], name="member"), CURVE, 40_000)
    assert comparison is not None
    assert comparison.verdict == "is a reference"
    assert comparison.sentence.startswith("it is the reference middle: ")


def test_without_references_nothing_is_compared() -> None:
    assert compare(examined("member", 1, 0.5), [], None) is None


def test_the_spread_over_trainings_widens_the_interval() -> None:
    seeds = [replace(one, std=0.01, seeds=3) for one in CURVE]
    alone, among = compared(38_000, 0.9), compare(examined("member", 38_000, 0.9, std=0.01, seeds=3), seeds, None)
    assert among is not None
    assert (alone.over_seeds, among.over_seeds) == (False, True)
    assert among.low_macs is not None
    assert alone.low_macs is not None
    assert among.low_macs < alone.low_macs
    half = compare(examined("member", 1, 0.9, std=0.01, seeds=3), seeds[:1], None)
    assert half is not None
    assert half.difference_low is not None
    assert 0.1 - half.difference_low > 2.776 * 0.01 * math.sqrt(2), "Student's t of four degrees of freedom"


def test_json_keeps_all() -> None:
    for comparison in (compared(5_000, 0.85), compared(20_000, 1.0), compared(5_000, 0.6, 6_000)):
        assert Comparison.from_dict(comparison.to_dict()) == comparison


def test_claims_about_equal_networks_are_rare() -> None:
    """A network that is exactly on the references' true curve: at most about one in forty claims on either side."""
    rng = np.random.default_rng(0)
    truth, log_macs = np.array([0.9, 0.94, 0.96, 0.97]), np.log([1e4, 4e4, 1.6e5, 6.4e5])
    claims: Counter[str] = Counter()
    for _ in range(400):
        hard_N = rng.normal(size=360)  # images that are hard for one are hard for the other
        right = [hard_N + rng.normal(size=360) * 0.7 < _threshold(share) for share in [*truth, 0.94]]
        macs = [*(round(math.exp(one)) for one in log_macs), 40_000]
        *references, member = (
            Examined(name=str(row), pair=str(row), macs=macs[row], right_N=right[row], search_accuracy=row / 10)
            for row in range(5)
        )
        comparison = compare(member, references, 40_000)
        assert comparison is not None
        claims[comparison.verdict] += 1
    assert claims["fewer macs"] + claims["none reaches it"] <= 0.035 * 400, claims
    assert claims["worse"] <= 0.05 * 400, claims
    assert claims["more accurate"] <= 0.035 * 400, claims


def _threshold(share: float) -> float:
    """Where that share of normal values of variance 1 + 0.7^2 lies below."""
    return NormalDist(0, math.sqrt(1 + 0.49)).inv_cdf(share)
