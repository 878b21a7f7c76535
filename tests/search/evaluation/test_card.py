"""One report card of all evaluations."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import zscore

from search.evaluation.card import report_card
from search.report.sections import card as section
from tests.search.report.examples import evidence

ROWS = [
    # network, evaluation, metric, part, value, half the interval
    ("a", "corruption", "accuracy", "", 0.5, 0.01),
    ("b", "corruption", "accuracy", "", 0.6, 0.01),
    ("c", "corruption", "accuracy", "", 0.9, 0.01),
    ("a", "corruption", "loss", "", 0.4, 0.01),
    ("b", "corruption", "loss", "", 0.1, 0.01),
    ("c", "corruption", "loss", "", 0.3, 0.01),
    ("a", "corruption", "accuracy", "blur", 0.1, 0.01),
    ("a", "by_class", "worst", "", 0.2, 0.3),
    ("b", "by_class", "worst", "", 0.3, 0.3),
    ("c", "by_class", "worst", "", 0.25, 0.3),
    ("a", "spectrum", "entropy", "", 9.0, 0.1),
]


def table(rows=ROWS) -> pd.DataFrame:
    columns = ["network", "evaluation", "metric", "part", "value", "half"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(low=frame["value"] - frame["half"], high=frame["value"] + frame["half"], count=100)


def test_scores_are_means_over_figures_and_then_over_evaluations() -> None:
    card = report_card(table()).set_index("network")
    corruption = (zscore([0.5, 0.6, 0.9]) + zscore([-0.4, -0.1, -0.3])) / 2
    worst = zscore([0.2, 0.3, 0.25])
    assert card.loc[["a", "b", "c"], "corruption"].tolist() == pytest.approx(corruption)
    assert card.loc[["a", "b", "c"], "all"].tolist() == pytest.approx((corruption + worst) / 2)
    assert "spectrum" not in card  # neither high nor low is better there


def test_a_rising_affine_change_of_a_figure_changes_nothing() -> None:
    frame = table()
    other = frame.copy()
    chosen = other["metric"] == "worst"
    other.loc[chosen, ["value", "low", "high"]] = 3 * other.loc[chosen, ["value", "low", "high"]] + 7
    pd.testing.assert_frame_equal(report_card(frame), report_card(other))


def test_the_order_of_the_rows_changes_no_score() -> None:
    first, second = (
        report_card(one).set_index("network")["all"].sort_index()
        for one in (table(), table().sample(frac=1, random_state=0))
    )
    assert first.tolist() == pytest.approx(second.tolist())


def test_ranks_are_as_sure_as_the_figures() -> None:
    sure = report_card(table([row for row in ROWS if row[2] == "accuracy"])).set_index("network")
    assert sure[["rank", "rank_low", "rank_high"]].loc["c"].tolist() == [1, 1, 1]
    unsure = report_card(table([row for row in ROWS if row[2] == "worst"])).set_index("network")
    assert unsure["rank_low"].tolist() == [1, 1, 1]
    assert unsure["rank_high"].tolist() == [3, 3, 3]


def test_a_missing_evaluation_is_named_and_left_out_of_the_mean() -> None:
    card = report_card(table([row for row in ROWS if row[:2] != ("b", "by_class")])).set_index("network")
    assert card.loc["b", "missing"] == "by_class"
    assert card.loc["b", "all"] == pytest.approx(card.loc["b", "corruption"])


def test_one_network_has_no_card() -> None:
    assert report_card(table([row for row in ROWS if row[0] == "a"])).empty
    assert report_card(table([])).empty


def test_the_report_shows_ranks_with_their_intervals() -> None:
    made = section.section(evidence(evaluations=table([row for row in ROWS if row[2] in ("accuracy", "worst")])))
    assert made is not None
    assert isinstance(made.table, pd.DataFrame)
    assert made.table["member"].tolist()[0] == "c"
    assert np.isfinite(made.table["mean"]).all()
