"""Generated pictures against real ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from tests.miniatures.layouts import imaginet
from tests.trainables.small import network
from trainables.assess.detection import area_under_curve, assess, balanced_accuracy
from trainables.data import digits
from trainables.data.manifest import load
from trainables.splits import Images


def test_figures_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    right_M, score_M = rng.random(90) < 0.3, np.round(rng.normal(size=90), 1)  # with ties
    assert area_under_curve(score_M, right_M) == pytest.approx(roc_auc_score(right_M, score_M))
    assert balanced_accuracy(score_M, right_M) == pytest.approx(balanced_accuracy_score(right_M, score_M > 0))


def test_fractals_are_told_from_digits_also_as_jpeg() -> None:
    judged = assess(network("simclr").eval(), digits.load(), known=100, most=100, qualities=(50,), shares=(0.5,))
    value = {(one.metric, one.part): one.value for one in judged.measures}
    assert {part for _, part in value} == {"", "jpeg 50", "resized to 0.5"}
    assert value["auc", ""] > 0.95
    assert value["auc", "jpeg 50"] > 0.9


def test_equal_pictures_are_not_told_apart() -> None:
    splits = replace(digits.load(), classes=("real", *map(str, range(1, 10))))

    def tossed(images: Images) -> Images:
        return replace(images, label_N=np.random.default_rng(0).integers(0, 2, len(images)))

    splits = replace(splits, train=tossed(splits.train), test=tossed(splits.test))
    measures = assess(network("simclr").eval(), splits, known=300, most=300, qualities=(), shares=()).measures
    auc = next(one for one in measures if one.metric == "auc")
    assert auc.low is not None
    assert auc.high is not None
    assert auc.low < 0.5 < auc.high


def test_contents_of_a_layout_are_parts(tmp_path: Path) -> None:
    imaginet.write(tmp_path)
    splits = load(path=str(tmp_path), layout="imaginet", resolution=8, grey=True, cache=str(tmp_path / "cache"))
    measures = assess(network("simclr").eval(), splits, qualities=(), shares=()).measures
    assert {one.part for one in measures} == {"", "faces", "paintings", "photos", "uncategorized"}
