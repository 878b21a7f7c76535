import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.family.members import COLUMNS, Family, is_complete, load_family
from search.problem.front import pareto_front
from tests.search.products import load_table, member

points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=0, max_size=12)


@given(points)
def test_the_front_is_what_comparing_all_pairs_gives(pairs):
    cost, score = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], float)
    front = pareto_front(cost, score)
    beaten = [
        any(
            (c2 <= c and s2 >= s and (c2 < c or s2 > s)) or (c2 == c and s2 == s and other < row)
            for other, (c2, s2) in enumerate(pairs)
        )
        for row, (c, s) in enumerate(pairs)
    ]
    assert sorted(front) == [row for row, out in enumerate(beaten) if not out]
    assert (np.diff(cost[front]) > 0).all()
    assert (np.diff(score[front]) > 0).all()


def test_unknown_values_are_not_on_the_front():
    assert pareto_front([1, 2, 3], [0.5, np.nan, 0.7]).tolist() == [0, 2]


def test_the_front_refuses_lengths_that_differ():
    with pytest.raises(ValueError, match="one shape"):
        pareto_front([1, 2], [1])


def test_what_costs_more_and_scores_no_more_is_not_on_the_front():
    assert pareto_front([300, 200, 400], [0.8, 0.8, 0.95]).tolist() == [1, 2]


def test_a_family_comes_back_from_its_files(tmp_path):
    family = Family(
        members=(
            member("member-1", macs=10, test_accuracy=0.91, test_accuracy_std=0.01, seeds=3, latency_ms=0.5),
            member("member-2", macs=20),
        ),
        study="abc",
    )
    family.save(tmp_path)
    assert load_family(tmp_path) == family
    table = load_table(tmp_path)
    assert tuple(table.columns) == COLUMNS
    assert table.test_accuracy[0] == 0.91
    assert pd.isna(table.test_accuracy_std[1])
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["family.csv", "family.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"members": [{"name": "x"}]}, "missing or unknown"),
    ],
)
def test_a_family_that_cannot_be_read_says_why(tmp_path, change, message):
    Family(members=(member(),)).save(tmp_path)
    path = tmp_path / "family.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=message):
        load_family(tmp_path)


def test_a_missing_or_damaged_family_says_so(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        load_family(tmp_path)
    (tmp_path / "family.json").write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        load_family(tmp_path)


def test_a_family_with_a_failed_training_is_not_complete(tmp_path):
    assert not is_complete(tmp_path)
    Family(members=(member(),), failures=("it failed",)).save(tmp_path)
    assert load_family(tmp_path).failures == ("it failed",)
    assert not is_complete(tmp_path)
    Family(members=(member(),)).save(tmp_path)
    assert is_complete(tmp_path)
    document = json.loads((tmp_path / "family.json").read_text())
    del document["failures"]  # as families were written before
    (tmp_path / "family.json").write_text(json.dumps(document))
    assert is_complete(tmp_path)


@pytest.mark.parametrize("macs", [(10, 10), (20, 10)])
def test_the_macs_of_a_family_strictly_increase(macs):
    with pytest.raises(ValueError, match="strictly increase"):
        Family(members=(member("member-1", macs=macs[0]), member("member-2", macs=macs[1])))


def test_impossible_members_are_refused():
    with pytest.raises(ValueError, match="fraction"):
        member(test_accuracy=91.0)
    with pytest.raises(ValueError, match="at least 1"):
        member(seeds=0)
