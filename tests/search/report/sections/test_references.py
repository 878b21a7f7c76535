import re

import pytest

from search.family.references import references_table
from search.report.sections.references import section
from tests.search.report.examples import evidence, whole_run


def test_the_table_has_references_and_members_with_what_they_save():
    table = section(whole_run()).table.set_index("network")
    assert list(table.index) == ["by hand, 900", "member-1", "by hand, 2000", "by hand, 4000", "member-2"]
    member = table.loc["member-1"]
    assert member["what the intervals bear"] == "fewer macs"
    times, low, high = map(float, re.findall(r"[\d.]+", member["times fewer macs than references"]))
    assert 1 < low < times < high
    assert times == pytest.approx(2520 / 1100, abs=0.1)


def test_the_text_counts_verdicts_and_says_what_intervals_rest_on():
    text = section(whole_run()).text
    assert "Of 1 member: 1 “fewer macs”." in text
    assert "not from the spread over trainings" in text


def test_a_run_without_references_has_no_such_section():
    assert section(evidence(references=references_table(()), compared={})) is None
