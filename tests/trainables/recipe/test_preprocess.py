"""Resizing and normalisation as parts of the recipe: the same in both phases, in evaluation and in what is exported."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from search.family.export import compare, write_graphs
from search.family.folder import InputSpec
from spaces.candidate import Candidate
from tests.trainables.small import pretrained
from trainables.data import digits
from trainables.plan import Plan
from trainables.recipe import preprocess
from trainables.splits import Splits
from trainables.stages.phases import Task
from trainables.stages.pretraining import keys_of, pretrainings_of
from trainables.training.building import build
from trainables.training.checkpoint import Checkpoint
from trainables.training.features import accuracy
from trainables.training.trial import trained, trial


@pytest.fixture(name="splits", scope="module")
def _splits() -> Splits:
    whole = digits.load()
    return replace(whole, train=whole.train.take(np.arange(0, len(whole.train), 10)))


def plain(**recipe: Any) -> Candidate:
    """Without pretraining; its network sees 12 pixels, so that digits of 8 are resized."""
    base = pretrained("supervised")
    recipe = {**base.recipe, **{f"preprocess.{name}": value for name, value in recipe.items()}}
    return replace(
        base, recipe=recipe, architecture={**base.architecture, "resolution": 12}, pretraining={}, adaptation={}
    )


@pytest.mark.parametrize("resize", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(
    ("normalise", "mean", "std"),
    [
        ("data", None, None),
        ("half", 0.5, 0.5),
        ("none", 0.0, 1.0),
        ("imagenet", (0.485 + 0.456 + 0.406) / 3, 0.226),
    ],
)
def test_the_network_sees_what_the_formula_says(
    resize: str, normalise: str, mean: float | None, std: float | None, splits: Splits
) -> None:
    network = build(plain(resize=resize, normalise=normalise), splits)
    image_BCHW, _ = splits.train.batch(np.arange(4))
    mean, std = splits.mean[0] if mean is None else mean, splits.std[0] if std is None else std
    corners = {} if resize == "nearest" else {"align_corners": False}
    expected = F.interpolate((image_BCHW - mean) / std, size=(12, 12), mode=resize, **corners)
    torch.testing.assert_close(network.prepared(image_BCHW), expected, rtol=1e-5, atol=1e-5)


def test_the_defaults_change_nothing(splits: Splits) -> None:
    torch.manual_seed(0)
    without = build(plain(), splits)
    torch.manual_seed(0)
    with_them = build(plain(resize="bilinear", normalise="data"), splits)
    image_BCHW, _ = splits.train.batch(np.arange(4))
    assert torch.equal(without.eval()(image_BCHW), with_them.eval()(image_BCHW))


def test_evaluation_and_export_preprocess_as_training(splits: Splits, tmp_path: Path) -> None:
    task = Task(candidate=plain(resize="bicubic", normalise="half"), epochs=2, seed=0)
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    last = list(trial(task, splits, checkpoint=checkpoint))[-1]
    network = trained(task, splits, checkpoint)
    assert network.interpolation == "bicubic"
    assert network.normalisation == ((0.5,), (0.5,))
    assert accuracy(network, splits.validation) == last.accuracy
    spec = InputSpec(preprocessing=network.preprocessing(splits.decoding), classes=splits.classes)
    write_graphs(network, spec, tmp_path)
    assert max(compare(network, spec, tmp_path).values()) < 1e-3


def test_both_phases_share_the_preprocessing(splits: Splits) -> None:
    two = pretrained("simclr")
    other = replace(two, recipe={**two.recipe, "preprocess.normalise": "half"})
    stages = [pretrainings_of(choice, 4) for choice in (two, other)]
    assert stages[0] == stages[1]
    assert keys_of(two, stages[0], splits) != keys_of(other, stages[0], splits)
    wrong = replace(two, pretraining={**two.pretraining, "preprocess.normalise": "half"})
    with pytest.raises(ValueError, match="which is the same in training; set it in the recipe"):
        pretrainings_of(wrong, 4)


@pytest.mark.parametrize(("knob", "value"), [("resize", "lanczos"), ("normalise", "cifar")])
def test_unknown_values_are_refused(knob: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"recipe.preprocess.{knob} is '{value}'; it can be"):
        preprocess.apply(Plan(epochs=1, images=1, classes=2), **{knob: value})
