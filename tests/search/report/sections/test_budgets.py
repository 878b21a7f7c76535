import pytest

from search.family.members import BudgetRow
from search.report.importance import scored
from search.report.sections.budgets import section
from tests.search.report.examples import evidence, whole_run


def test_each_budget_counts_the_trials_of_its_band():
    run = whole_run()
    table = section(run).table
    trials = scored(run.trials)
    assert table["budget, macs"].tolist() == ["2k", "5k"]
    assert table["trials in its band"].tolist() == [
        int((trials["macs"] <= 2000).sum()), int(trials["macs"].between(2000, 5000, inclusive="right").sum())
    ]  # fmt: skip
    assert table["network"].tolist() == ["member-1", "member-2"]


@pytest.mark.parametrize(("member", "words"), [("member-1", "nothing larger"), (None, "no network came to its end")])
def test_a_budget_that_got_nothing_of_its_own_says_why(member, words):
    budgets = (BudgetRow(max_macs=2000.0, member="member-1"), BudgetRow(max_macs=5000.0, member=member))
    assert words in section(evidence(budgets=budgets)).table["in words"].iloc[1]


def test_a_family_without_budgets_has_no_such_section():
    assert section(evidence(budgets=())) is None
