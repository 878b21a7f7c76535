import numpy as np
import pytest

from search.report.answers import Answers, lead


def answers(predicted, confidence=None, true=(0, 0, 0, 1, 2), classes=4):
    confidence = np.linspace(0.5, 0.9, len(predicted)) if confidence is None else confidence
    return Answers(
        predicted_N=np.array(predicted), confidence_N=np.array(confidence), true_N=np.array(true), classes=classes
    )


def test_balanced_accuracy_is_the_mean_over_classes_with_images():
    majority = answers([0, 0, 0, 0, 0])
    assert majority.accuracy == 3 / 5
    assert majority.balanced == pytest.approx(1 / 3)
    np.testing.assert_array_equal(majority.by_class_K, [1, 0, 0, np.nan])


def test_mistakes_begin_with_the_most_confident():
    wrong = answers([1, 0, 2, 1, 1], confidence=[0.4, 0.99, 0.8, 0.9, 0.6])
    assert wrong.mistakes.tolist() == [2, 4, 0]


def test_a_lead_has_an_interval_that_narrows_with_agreement():
    true = np.zeros(100, dtype=np.int64)
    worse = answers(np.arange(100) < 10, np.ones(100), true)
    better = answers(np.arange(100) < 5, np.ones(100), true)
    apart = answers(np.arange(100) >= 95, np.ones(100), true)
    difference, (low, high) = lead(better, worse)
    assert difference == pytest.approx(0.05)
    assert low < 0.05 < high
    assert high - low < np.diff(lead(apart, worse)[1])[0]
