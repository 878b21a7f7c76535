from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from search.family.members import COLUMNS
from search.report.answers import Answers
from search.report.headline import sentences, small_print
from tests.search.products import beside_references
from tests.search.report.examples import evidence


def answered(run, shares):
    """The run with members that are right on these shares of 100 test images."""
    true_N = np.zeros(100, dtype=np.int64)
    answers = {
        name: Answers(
            predicted_N=(np.arange(100) >= 100 * share).astype(np.int64), confidence_N=np.ones(100), true_N=true_N,
            classes=2,
        )
        for name, share in shares.items()
    }  # fmt: skip
    run.__dict__["answers"] = answers  # a cached property
    return run


@pytest.mark.parametrize(("largest", "claim"), [(0.98, "is more accurate: +18.0 points"), (0.83, "is not shown")])
def test_that_more_macs_bring_more_is_said_if_the_interval_bears_it(largest, claim):
    run = answered(evidence(), {"member-1": 0.8, "member-2": largest})
    family, _, more = sentences(run)
    assert "80.0 % of the test images right (71.1 to 86.7)" in family
    assert claim in more


def test_fewer_macs_are_claimed_of_those_whose_interval_lies_above_one():
    shown = sentences(evidence())[1]
    assert "1 of 1 networks needs fewer macs" in shown
    assert "member-1 2.3 times fewer (95 %: " in shown
    same = beside_references(0.75, 2000)
    assert "is not shown" in sentences(evidence(compared={"member-1": same}))[1]


def test_a_member_that_is_behind_and_one_that_is_a_reference_are_said():
    behind, itself = beside_references(0.5, 4100), replace(beside_references(0.75, 2000), itself="by hand, 2000")
    sentence = sentences(evidence(compared={"member-1": itself, "member-2": behind}))[1]
    assert "Member-2 is behind the reference of the same budget." in sentence
    assert "1 of them is a reference itself." in sentence


def test_without_references_nothing_is_claimed():
    assert "is not known" in sentences(evidence(compared={}))[1]


def test_a_run_without_members_has_one_sentence():
    run = evidence(family=pd.DataFrame(columns=list(COLUMNS)), networks={}, budgets=())
    assert sentences(run) == ("No network has been handed over yet.",)
    assert small_print(run) == ""


def test_one_training_each_is_said():
    assert "Each was trained once" in small_print(evidence())
