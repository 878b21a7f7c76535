from search.report.sections.predictions import Z90, section
from tests.search.report.examples import evidence, whole_run


def test_coverage_counts_the_trials_within_their_interval():
    trials = whole_run().trials.copy()
    rows = trials.index[trials["score"].notna() & trials["predicted_mean"].notna()]
    trials.loc[rows, "predicted_mean"] = trials.loc[rows, "score"] + 0.99 * Z90 * 0.05
    assert "100% lie in the interval" in section(evidence(trials=trials)).text
    trials.loc[rows[0], "predicted_mean"] = trials.loc[rows[0], "score"] - 1.01 * Z90 * 0.05
    assert f"Of {len(rows)} trials" in section(evidence(trials=trials)).text
    assert "98% lie in the interval" in section(evidence(trials=trials)).text
