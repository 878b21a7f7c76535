"""Trainings that begin with pretrained weights."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spaces.candidate import Candidate
from tests.trainables.small import OPTIMIZER, few_labels, without_time
from tests.trainables.weights.small import MODEL, written
from trainables.splits import Splits
from trainables.stages.phases import Task
from trainables.stages.pretraining import pretrainings_of
from trainables.training.building import build
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import trained, trial

CANDIDATE = Candidate(
    backbone="timm_model",
    objective="supervised",
    architecture={"name": MODEL, "resolution": 32, f"weights.{MODEL}": "mine"},
    recipe={**OPTIMIZER, "batch.size": 90},
    adaptation={"method": "linear"},
)


TASK = Task(candidate=CANDIDATE, epochs=2, seed=1)


@pytest.fixture(name="splits")
def _splits(tmp_path: Path) -> Splits:
    source = replace(written(tmp_path), mean=(0.2, 0.3, 0.4), std=(0.5, 0.5, 0.8), interpolation="bicubic")
    return replace(few_labels(), weights={"mine": source})


def test_a_probe_keeps_the_weights_and_their_preprocessing(splits: Splits, tmp_path: Path) -> None:
    """Digits have one channel: its statistics are the mean of the three, its convolution their sum."""
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    list(trial(TASK, splits, checkpoint=checkpoint))
    network = trained(TASK, splits, checkpoint)
    assert network.normalisation == ((0.3,), (0.6,))
    assert network.interpolation == "bicubic"
    state, given = network.network.state_dict(), load_file(splits.weights["mine"].path)
    assert torch.equal(state["blocks.0.0.conv.weight"], given["blocks.0.0.conv.weight"])
    assert torch.allclose(state["conv_stem.weight"], given["conv_stem.weight"].sum(1, keepdim=True))


def test_it_resumes_exactly(splits: Splits, tmp_path: Path) -> None:
    full = replace(TASK, candidate=replace(CANDIDATE, adaptation={"method": "full"}))
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    list(islice(trial(full, splits, checkpoint=checkpoint), 1))
    resumed = list(trial(full, splits, checkpoint=checkpoint))
    assert without_time(resumed) == without_time(list(trial(full, splits)))


def test_a_recipe_may_prepare_images_otherwise(splits: Splits) -> None:
    recipe = {**CANDIDATE.recipe, "preprocess.normalise": "none", "preprocess.resize": "nearest"}
    network = build(replace(CANDIDATE, recipe=recipe), splits)
    assert network.normalisation == ((0.0,), (1.0,))
    assert network.interpolation == "nearest"


def test_weights_alone_are_no_pretraining_but_may_be_adapted() -> None:
    assert pretrainings_of(CANDIDATE, 2) == ()
    scratch = replace(CANDIDATE, architecture={**CANDIDATE.architecture, f"weights.{MODEL}": "none"})
    with pytest.raises(ValueError, match=r"is not pretrained but has adaptation\.method"):
        pretrainings_of(scratch, 2)
