"""Accuracy by slices, by sets of labels and by rarity, against counts by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from tests.trainables.small import network
from trainables.assess import tail
from trainables.assess._slices import sliced
from trainables.assess.class_retrieval import average_precision, ranked
from trainables.assess.label_sets import _measures, overlaps
from trainables.data import digits
from trainables.data.sources import load_source


def values(measures):
    return {(one.metric, one.part): one.value for one in measures}


def test_slices_are_what_one_counts_by_hand() -> None:
    right = np.array([1, 1, 0, 1, 0, 0, 1, 1], dtype=bool)
    value = values(sliced(right, np.array([0, 0, 0, 0, 1, 1, 2, -1]), ["a", "b", "c"], seed=0, least=2))
    assert value["accuracy", "a"] == 0.75
    assert value["worst", ""] == 0.0
    assert value["gap", ""] == 0.75
    assert value["accuracy", "c (too few to count)"] == 1.0


def test_one_large_slice_has_no_gap_and_says_why() -> None:
    (worst, *_) = sliced(np.ones(5, dtype=bool), np.array([0, 0, 0, 0, 1]), ["a", "b"], seed=0, least=2)
    assert math.isnan(worst.value)
    assert "fewer than two slices" in worst.part


def test_equal_slices_have_the_gap_of_chance() -> None:
    generator = np.random.default_rng(0)
    slice_N = np.repeat(np.arange(8), 100)
    gaps = [values(sliced(generator.random(800) < 0.8, slice_N, list("abcdefgh"), seed=0, least=2)) for _ in range(20)]
    assert np.mean([one["gap", ""] for one in gaps]) == pytest.approx(gaps[0]["gap by chance", ""], abs=0.03)


def test_with_one_label_an_image_all_figures_are_accuracy() -> None:
    score = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    label = np.arange(60) % 5
    value = values(_measures(score, np.eye(5, dtype=bool)[label], seed=0))
    right = float((score.argmax(1).numpy() == label).mean())
    assert {value[metric, ""] for metric in ("hit", "overlap", "average over sizes")} == {right}


def test_overlaps_are_what_one_counts_by_hand() -> None:
    score = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.2, 0.3, 0.5]])
    labels = np.array([[1, 0, 1], [1, 1, 1], [1, 0, 0]], dtype=bool)
    assert overlaps(score, labels).tolist() == [0.5, 1.0, 0.0]


def test_average_precision_is_that_of_scikit_learn() -> None:
    feature = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    label = torch.arange(30) % 3
    cosine = torch.nn.functional.cosine_similarity(feature[0:1], feature[1:]).numpy()
    expected = average_precision_score((label[1:] == label[0]).numpy(), cosine)
    assert average_precision(ranked(feature, label))[0] == pytest.approx(expected)


def test_the_tail_are_the_classes_with_the_fewest_training_images() -> None:
    splits = digits.load()
    label = splits.train.label_N
    rows = np.concatenate([np.flatnonzero(label == one)[: 5 * (one + 1)] for one in range(10)])
    rare = replace(splits, train=splits.train.take(rows))
    judge = network("simclr").eval()
    value = values(tail.assess(judge, rare).measures)
    with torch.inference_mode():
        predicted = torch.cat([judge(batch) for batch in splits.test.batches()]).argmax(1).numpy()
    inside = splits.test.label_N < 3
    assert value["tail", ""] == pytest.approx((predicted == splits.test.label_N)[inside].mean())


def test_the_tail_of_captions_are_the_classes_that_captions_name_least() -> None:
    splits = load_source("digits", {"class_captions": 1.0})
    row_M = np.concatenate([np.flatnonzero(splits.train.label_N == one)[: 5 * (one + 1)] for one in range(10)])
    pool = splits.train.take(row_M)
    judge = network("simclr").eval()
    value = values(tail.assess(judge, replace(splits, pool=pool)).measures)
    rare = values(tail.assess(judge, replace(splits, train=pool)).measures)
    for metric in ("tail", "head", "correlation"):
        assert value[metric, "by captions"] == rare[metric, ""]
    assert value["correlation", "by captions"] != value["correlation", ""]
    bare = values(tail.assess(judge, digits.load()).measures)
    assert {part for _, part in bare} == {""}
