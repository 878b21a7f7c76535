"""What each pretraining objective brings at equal compute, with a tenth of the labels. Prints paired differences."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from spaces.candidate import Candidate
from trainables.data.sources import load_source
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

SEEDS = 5
EPOCHS = 12
ARCHITECTURE = {
    "mobile": {
        "resolution": 16,
        "stem_width": 8,
        "stem_stride": 1,
        "activation": "relu",
        "head_expansion": 2,
        "head_width": 64,
        **{f"width.{stage}": width for stage, width in enumerate((8, 16, 32))},
        **{f"depth.{stage}": 1 for stage in range(3)},
        **{f"kernel.{stage}": 3 for stage in range(3)},
        **{f"expansion.{stage}": 3 for stage in range(3)},
        **{f"squeeze_excite.{stage}": False for stage in range(3)},
        **{f"stride.{stage}": stride for stage, stride in enumerate((1, 2, 2))},
    },
    "tiny_vit": {
        "resolution": 16,
        "mlp_ratio": 2.0,
        "conv_expansion": 2,
        **{f"width.{stage}": 32 for stage in range(3)},
        **{f"depth.{stage}": 1 for stage in range(3)},
        **{f"window.{stage}": 2 for stage in range(2)},
    },
}
RECIPE = {
    "batch.size": 32,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 1,
    "schedule.final": 0.01,
    "optimizer.name": "adamw",
    "optimizer.learning_rate.adamw": 3e-3,
    "optimizer.weight_decay": 1e-3,
}
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


def difference(one_S: np.ndarray, other_S: np.ndarray) -> str:
    """The other minus the one, in percentage points, with Student's 95 % interval."""
    difference_S = 100 * (other_S - one_S)
    low, high = stats.t.interval(0.95, SEEDS - 1, difference_S.mean(), stats.sem(difference_S))
    return f"{difference_S.mean():+.2f} points [{low:+.2f}, {high:+.2f}]"


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
