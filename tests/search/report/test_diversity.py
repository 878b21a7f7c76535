"""Score over the share of a mix."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from search.report.sections.diversity import section, slope
from tests.search.report.examples import evidence


def test_a_planted_slope_is_found_in_its_interval() -> None:
    rng = np.random.default_rng(0)
    share = pd.Series(np.tile([0.0, 0.25, 0.5, 0.75], 25))
    low, value, high = slope(share, 0.6 - 0.2 * share + pd.Series(rng.normal(0, 0.01, 100)))
    assert low < -0.02 < high
    assert value == pytest.approx(-0.02, abs=0.001)


def test_the_section_has_a_row_for_each_share() -> None:
    trials = evidence().trials.head(8).assign(state="complete", score=np.linspace(0.5, 0.8, 8))
    trials["pretraining.mix.fractals"] = [0.0, 0.5] * 4
    shown = section(evidence(trials=trials))
    assert shown is not None
    assert shown.table is not None
    assert shown.table["share"].tolist() == [0.0, 0.5]
    own = trials["score"][trials["pretraining.mix.fractals"] == 0.5]
    assert shown.table["score"].iloc[1] == pytest.approx(own.mean())
    reach = t.ppf(0.975, len(own) - 1) * own.std() / np.sqrt(len(own))
    assert shown.table["high"].iloc[1] == pytest.approx(own.mean() + reach)


def test_a_run_without_mixes_has_no_such_section() -> None:
    assert section(evidence()) is None
