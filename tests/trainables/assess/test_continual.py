from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.trainables.small import network
from trainables.assess import continual, nearest_mean, pooled
from trainables.data import digits
from trainables.splits import Splits


@pytest.fixture(scope="module")
def splits() -> Splits:
    whole = digits.load()
    return replace(whole, train=whole.train.take(np.arange(200)), test=whole.test.take(np.arange(150)))


def test_running_means_are_the_means_of_all() -> None:
    generator = torch.Generator().manual_seed(0)
    known_NF = torch.randn(300, 7, generator=generator, dtype=torch.float64)
    class_N = torch.randint(4, (300,), generator=generator)
    means = continual.RunningMeans(4, 7)
    for rows in torch.randperm(300, generator=generator).split(11):
        means.add(known_NF[rows], class_N[rows])
    whole_KF = torch.stack([F.normalize(known_NF)[class_N == class_].mean(0) for class_ in range(4)])
    assert (means.mean_KF - whole_KF).abs().max() < 1e-14


def test_the_final_accuracy_is_that_of_all_classes_at_once_in_any_order(splits: Splits) -> None:
    judge = network("simclr").eval()
    predicted_M = nearest_mean.classify(
        pooled(judge, splits.train).double(),
        torch.from_numpy(splits.train.label_N),
        pooled(judge, splits.test).double(),
        classes=10,
    )
    whole = (predicted_M.numpy() == splits.test.label_N).mean()
    for seed in range(3):
        final, average, *after = continual.assess(judge, splits, seed=seed, orders=3).measures
        assert final.value == after[-1].value == pytest.approx(whole)
        assert [one.part for one in after] == [f"task {number}" for number in range(1, 6)]
        assert average.value > final.value
    one = continual.assess(judge, splits, orders=1).measures
    assert one[1].value == pytest.approx(np.mean([measure.value for measure in one[2:]]))


def test_a_task_for_each_class_at_most(splits: Splits) -> None:
    judge = network("simclr").eval()
    assert len(continual.assess(judge, splits, tasks=50, orders=1).measures) == 2 + 10
    with pytest.raises(ValueError, match="at least one task and one order"):
        continual.assess(judge, splits, tasks=0)
