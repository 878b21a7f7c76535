"""Nested shares of the training images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.data.sources import load_source
from trainables.data.splitting import nested
from trainables.splits import DataError


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(0, 5), st.floats(0.05, 1))
def test_every_beginning_has_each_class_in_its_proportion(labels: list[int], seed: int, share: float) -> None:
    label_N = np.array(labels)
    order_N = nested(label_N, seed)
    assert sorted(order_N.tolist()) == list(range(len(labels)))
    count = round(share * len(labels))
    part_K, whole_K = (np.bincount(own, minlength=5) for own in (label_N[order_N[:count]], label_N))
    assert np.abs(part_K - whole_K * count / len(labels)).max() <= 2


def different(splits) -> set[bytes]:
    return {image.tobytes() for image in splits.train.image_NCHW[:]}


def test_smaller_shares_are_parts_of_larger_ones_and_have_as_many_steps() -> None:
    whole, half, few = (load_source("digits", {"share": share}) for share in (1.0, 0.5, 0.1))
    assert different(few) < different(half) < different(whole)
    assert len(different(few)) == pytest.approx(0.1 * len(whole.train), abs=2)
    assert len(few.train) == len(half.train) == len(whole.train)
    assert few.mean != whole.mean
    assert np.array_equal(few.test.image_NCHW, whole.test.image_NCHW)
    assert few.unlabelled is few.train


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"share": 0}, "above 0 and at most 1, given 0"),
        ({"share": 1.5}, "above 0 and at most 1, given 1.5"),
        ({"share": 0.001}, "leaves none of class"),
        ({"share": 0.5, "labels": 0.5}, "cannot both be below 1"),
    ],
)
def test_a_mistake_is_one_sentence(keywords: dict[str, float], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        load_source("digits", keywords)
