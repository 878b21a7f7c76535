"""What guidance brings to a small transformer at equal passes: none, weight 0, a random guide, and one's own.

``NARS_GUIDE=FOLDER`` names the folder of an exported member of the digits, which guides as well.
"""

import os

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import RECIPE, difference
from trainables.data.sources import load_source
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

EPOCHS, SEEDS = 12, 3
VIT = {
    "resolution": 8, "patch": 2, "width": 32, "depth": 2, "head_width": 16, "mlp_ratio": 2.0, "pooling": "mean",
}  # fmt: skip
RANDOM = "untrained:test_resnet"


def reached(guide: str | None, weight: float, seed: int) -> float:
    """Search-validation accuracy; where there is a guide, for half of the passes."""
    stages = {}
    if guide is not None:
        knobs = {"guidance.teacher": guide, "guidance.distillation_weight": weight}
        stages = {
            "pretraining": {"objective": "guidance", "share": 0.5, **RECIPE, **knobs},
            "adaptation": {"method": "full"},
        }
    candidate = Candidate(backbone="vit", objective="supervised", architecture=VIT, recipe=RECIPE, **stages)
    splits = load_source("digits", {"labels": 0.3})
    return list(trial(Task(candidate=candidate, epochs=EPOCHS, seed=seed), splits))[-1].accuracy


def test_guidance_at_equal_passes():
    torch.set_num_threads(1)
    guides: dict[str, tuple[str | None, float]] = {
        "none": (None, 0.0), "weight 0": (RANDOM, 0.0), "random guide": (RANDOM, 1.0),
    }  # fmt: skip
    if os.environ.get("NARS_GUIDE"):
        guides["own guide"] = (f"local-dir:{os.environ['NARS_GUIDE']}", 1.0)
    reached_S = {name: np.array([reached(*guide, seed) for seed in range(SEEDS)]) for name, guide in guides.items()}
    for name, own_S in reached_S.items():
        assert (own_S > 0.2).all()
        print(f"{name}: {own_S.round(3).tolist()}; minus weight 0 {difference(reached_S['weight 0'], own_S)}")
