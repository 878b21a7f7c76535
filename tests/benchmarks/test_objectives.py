"""What each pretraining objective brings at equal compute, with a tenth of the labels. Prints paired differences."""

from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, EPOCHS, RECIPE, SEEDS, difference
from trainables.data.sources import load_source
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

OBJECTIVES = {
    "mobile": ("simclr", "swav", "spark", "multi_instance"),
    "tiny_vit": ("simclr", "swav", "simmim", "multi_instance"),
}
"""The last one on fractals, the others on the digits."""


def reached(backbone: str, objective: str | None, seed: int, neck: int = 0, **knobs: Any) -> float:
    """Search-validation accuracy after the whole compute."""
    splits = load_source("digits", {"labels": 0.1})
    stages = {}
    if objective is not None:
        stages = {
            "pretraining": {"objective": objective, "share": 0.5, **RECIPE, "batch.size": 64, **knobs},
            "adaptation": {"method": "full"},
        }
    architecture = {**ARCHITECTURE[backbone], "neck": neck}
    candidate = Candidate(backbone=backbone, objective="supervised", architecture=architecture, recipe=RECIPE, **stages)
    return list(trial(Task(candidate=candidate, epochs=EPOCHS, seed=seed), splits))[-1].accuracy


@pytest.mark.parametrize("backbone", ARCHITECTURE)
def test_objectives_against_training_from_scratch_at_equal_compute(backbone):
    torch.set_num_threads(1)
    scratch_S = np.array([reached(backbone, None, seed) for seed in range(SEEDS)])
    print(f"\n{backbone}, from scratch: {scratch_S.mean():.3f} (deviation over seeds {scratch_S.std(ddof=1):.3f})")
    for objective in OBJECTIVES[backbone]:
        reached_S = np.array([reached(backbone, objective, seed) for seed in range(SEEDS)])
        assert (reached_S > 0.2).all()  # ten classes: it learns
        print(f"{objective}: {reached_S.mean():.3f}; {difference(scratch_S, reached_S)}")


@pytest.mark.parametrize("backbone", ARCHITECTURE)
def test_fractals_in_place_of_the_images_of_the_data(backbone):
    torch.set_num_threads(1)
    print(f"\n{backbone}, on fractals beside the same objective on the digits")
    for objective in OBJECTIVES[backbone][:-1]:
        own_S, fractals_S = (
            np.array([reached(backbone, objective, seed, source=source) for seed in range(SEEDS)])
            for source in ("own", "fractals")
        )
        assert (np.stack([own_S, fractals_S]) > 0.2).all()
        print(f"{objective}: {own_S.mean():.3f} and {fractals_S.mean():.3f}; {difference(own_S, fractals_S)}")


@pytest.mark.parametrize("backbone", ARCHITECTURE)
def test_fine_tuning_from_below_the_projection_or_after_its_first_layer(backbone):
    """SimCLR with a projection of three layers, of which a neck keeps the first; and the neck without pretraining."""
    torch.set_num_threads(1)
    layers = {"simclr.layers": 3}
    below_S, after_S = (
        np.array([reached(backbone, "simclr", seed, neck, **layers) for seed in range(SEEDS)]) for neck in (0, 64)
    )
    scratch_S, deeper_S = (np.array([reached(backbone, None, seed, neck) for seed in range(SEEDS)]) for neck in (0, 64))
    assert (np.stack([below_S, after_S, scratch_S, deeper_S]) > 0.2).all()
    print(f"\n{backbone}: from below {below_S.mean():.3f}, after the first layer {after_S.mean():.3f}")
    print(f"{difference(below_S, after_S)}; the layer alone, without pretraining: {difference(scratch_S, deeper_S)}")
