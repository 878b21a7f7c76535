"""Classes put together, and what the evaluation of finer ones makes of that."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainables.small import network
from trainables.assess import levels, probes
from trainables.data import digits
from trainables.data._super_classes import with_super_classes
from trainables.data.sources import load_source
from trainables.splits import DataError

ODD = {"odd": ["1", "3", "5", "7", "9"], "even": ["0", "2", "4", "6", "8"]}


def test_the_class_is_that_of_the_group_and_the_level_what_it_was() -> None:
    splits, whole = load_source("digits", {"super_classes": ODD}), digits.load()
    assert splits.classes == ("even", "odd")
    for part in ("train", "validation", "test"):
        images, before = getattr(splits, part), getattr(whole, part)
        assert np.array_equal(images.fields["level"], before.label_N)
        assert np.array_equal(images.label_N, before.label_N % 2)
        assert np.array_equal(images.image_NCHW, before.image_NCHW)


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ("even", "is to have two super-classes or more"),
        ({"all": [str(number) for number in range(10)]}, "is to have two super-classes or more"),
        ({"a": [0, 1], "b": ["2"]}, "the names of their classes, as text"),
        ({**ODD, "odd": ["1", "3", "5", "7"]}, "leave class '9' out"),
        ({**ODD, "more": ["1"]}, "have class '1' twice"),
        ({**ODD, "more": ["ten"]}, "more has 'ten', which is no class of the data; these are 0, 1, 2"),
    ],
)
def test_what_is_no_grouping_is_one_sentence(groups: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as caught:
        load_source("digits", {"super_classes": groups})
    assert "\n" not in str(caught.value)


def test_images_that_have_a_level_are_refused() -> None:
    splits = with_super_classes(digits.load(), ODD)
    with pytest.raises(DataError, match="which these images have already"):
        with_super_classes(splits, {"a": ["even"], "b": ["odd"]})


def test_levels_are_judged_as_classes_are() -> None:
    whole = digits.load()
    few = replace(whole, train=whole.train.take(np.arange(120)), test=whole.test.take(np.arange(80)))
    judged, coarse = network("simclr").eval(), with_super_classes(few, ODD)
    *fine, (metric, _, commonest) = [
        (one.metric, one.part, one.value) for one in levels.assess(judged, coarse).measures
    ]
    assert metric == "always the commonest"
    assert commonest == (few.test.label_N == np.bincount(few.train.label_N).argmax()).mean()
    assert fine == [(one.metric, one.part, one.value) for one in probes.assess(judged, few).measures]
    assert fine != [(one.metric, one.part, one.value) for one in probes.assess(judged, coarse).measures]


def test_images_of_unknown_level_are_left_out() -> None:
    coarse = with_super_classes(digits.load(), ODD)
    level_N = np.where(np.arange(len(coarse.test)) < 50, coarse.test.fields["level"], -1)
    part = replace(coarse, test=replace(coarse.test, fields={"level": level_N}))
    judged = network("simclr").eval()
    assert {one.count for one in levels.assess(judged, part).measures} == {50}
    none = replace(part, test=replace(part.test, fields={"level": np.full_like(level_N, -1)}))
    (missing,) = levels.assess(judged, none).measures
    assert torch.tensor(missing.value).isnan()
    assert missing.part == "no image of a known level"
