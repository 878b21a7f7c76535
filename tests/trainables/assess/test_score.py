"""What trials are judged by."""

from dataclasses import replace

import numpy as np
import pytest

from tests.trainables.small import network
from trainables.assess import by_class, corruption
from trainables.assess._score import figures, score_of
from trainables.data import digits
from trainables.splits import DataError, Splits
from trainables.training.features import judged


@pytest.fixture(scope="module")
def splits() -> Splits:
    return digits.load()


def test_accuracy_alone_is_accuracy(splits: Splits) -> None:
    assert judged((), network("simclr"), splits, 0.7) == (0.7, {})


def test_a_score_is_the_weighted_mean_of_figures_on_search_validation(splits: Splits) -> None:
    judge = network("simclr").eval()
    weights = (("accuracy", 0.5), ("assess.corruption.accuracy", 0.3), ("assess.by_class.gap", 0.2))
    score, parts = judged(weights, judge, splits, 0.7)
    sealed = replace(splits, test=splits.validation)
    robust = next(
        one.value
        for one in corruption.assess(judge, sealed, seed=0, **corruption.IN_SEARCH).measures
        if (one.metric, one.part) == ("accuracy", "")
    )
    gap = next(one.value for one in by_class.assess(judge, sealed).measures if one.metric == "gap")
    assert parts == {"assess.accuracy": 0.7, "assess.corruption.accuracy": robust, "assess.by_class.gap": gap}
    assert score == pytest.approx(0.5 * 0.7 + 0.3 * robust + 0.2 * (1 - gap))


def test_the_test_split_stays_sealed(splits: Splits) -> None:
    empty = replace(splits, test=splits.test.take(np.arange(0)))
    weights = (("assess.few_shot.accuracy", 0.5), ("assess.class_retrieval.average precision", 0.5))
    assert figures(weights, network("simclr"), empty, 0.0) == figures(weights, network("simclr"), splits, 0.0)


def test_a_figure_that_data_do_not_give_ends_the_run_in_a_sentence(splits: Splits) -> None:
    few = replace(splits, validation=splits.validation.take(np.arange(12)))
    with pytest.raises(DataError, match="no value on the search-validation images: fewer than two slices"):
        figures((("assess.by_class.worst", 1.0),), network("simclr"), few, 0.0)


def test_what_is_better_low_counts_as_what_it_lacks_to_one() -> None:
    assert score_of((("assess.by_class.gap", 1.0),), [0.2]) == pytest.approx(0.8)
