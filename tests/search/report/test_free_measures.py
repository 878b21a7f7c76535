"""What is known before training, and the score."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from search.report.sections.free_measures import correlation, section
from tests.search.report.examples import evidence


def test_the_correlation_is_spearmans_within_its_interval() -> None:
    generator = np.random.default_rng(0)
    held = []
    for _ in range(200):
        one = generator.normal(size=40)
        other = one + generator.normal(size=40)
        value, low, high = correlation(pd.Series(one), pd.Series(other))
        assert value == pytest.approx(spearmanr(one, other).statistic)
        held.append(low <= 0.690 <= high)  # of these two, 6 / pi arcsin(r / 2) with r = 1 / sqrt(2)
    assert np.mean(held) == pytest.approx(0.95, abs=0.05)


def test_a_planted_measure_comes_first() -> None:
    trials = evidence().trials.assign(state="complete", resolution=np.arange(60) % 3)
    trials["score"] = np.log(trials["params"]) / 100
    made = section(evidence(trials=trials))
    assert made is not None
    assert made.table["measure"].iloc[0] == "params"
    assert made.table["correlation"].iloc[0] == pytest.approx(1.0)


def test_few_trials_show_nothing() -> None:
    assert section(evidence(5)) is None
