"""Objectives learn: after a short pretraining, frozen features tell digits apart better than untrained ones."""

from typing import Any

import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, RECIPE
from trainables.data.sources import load_source
from trainables.training.building import build
from trainables.training.features import features_of, score
from trainables.training.trial import Task, trial
from trainables.training.world import World

pytestmark = pytest.mark.nightly

EPOCHS = 16
"""Compute of pretraining, in passes over the 898 images; one more would follow."""


def candidate(backbone: str, pretraining: dict[str, Any]) -> Candidate:
    return Candidate(
        backbone=backbone,
        objective="supervised",
        architecture={**ARCHITECTURE[backbone], "neck": 0},
        recipe=RECIPE,
        pretraining=pretraining,
        adaptation={"method": "full"},
    )


def untrained(backbone: str, seed: int) -> float:
    """Nearest class mean, a tenth of the images with labels."""
    splits, device = load_source("digits", {"labels": 0.1}), torch.device("cpu")
    torch.manual_seed(seed)
    network = build(candidate(backbone, {}), splits)
    features = features_of(network, splits.train, splits.validation, world=World(), device=device)
    return score(features, "nearest_mean", classes=10, world=World(), device=device)


def pretrained(backbone: str, objective: str, seed: int, **knobs: Any) -> float:
    pretraining = {"objective": objective, "share": 0.94, **RECIPE, "batch.size": 64, **knobs}
    task = Task(candidate=candidate(backbone, pretraining), epochs=EPOCHS + 1, seed=seed)
    reports = trial(task, load_source("digits", {"labels": 0.1}))
    for report in reports:
        if report.epoch == EPOCHS:
            return report.accuracy
    raise AssertionError("it ended before")


@pytest.mark.parametrize(
    ("backbone", "objective"),
    [
        ("tiny_vit", "dino"),
        ("mobile", "look"),
        ("mobile", "selfcon"),
        ("mobile", "prototypes"),
        ("mobile", "graph_match"),
        ("mobile", "pixpro"),
        ("mobile", "latent"),
        ("mobile", "sit"),
    ],
)
def test_features_are_better_than_untrained_ones(backbone: str, objective: str) -> None:
    """Means of two seeds."""
    torch.set_num_threads(1)
    before = sum(untrained(backbone, seed) for seed in range(2)) / 2
    after = sum(pretrained(backbone, objective, seed) for seed in range(2)) / 2
    assert after > before + 0.02
