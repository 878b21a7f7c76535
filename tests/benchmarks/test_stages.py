"""What further stages of pretraining bring: fractals alone, then digits, then digits taught by what that has led to.

All at the same passes, with a tenth of the labels; also how far the weights move from those of the first stage.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, RECIPE, difference
from tests.benchmarks.test_masked_tokens import VIT
from trainables.data.sources import load_source
from trainables.stages.pretraining import pretrainings_of
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

EPOCHS, SHARE, SEEDS = 16, 0.75, 3
NETWORKS = {"vit": ({**VIT, "resolution": 16}, "mae"), "mobile": ({**ARCHITECTURE["mobile"], "neck": 0}, "spark")}
STAGES: dict[str, dict[str, Any]] = {
    "once": {},
    "twice": {"stages": "twice"},
    "distilled, 0.01": {"stages": "distilled", "weight.agreement": 0.01},
    "distilled, 0.1": {"stages": "distilled", "weight.agreement": 0.1},
    "distilled, 1": {"stages": "distilled", "weight.agreement": 1.0},
}


def candidate(backbone: str, stages: dict[str, Any]) -> Candidate:
    architecture, objective = NETWORKS[backbone]
    pretraining = {"objective": objective, "source": "fractals", "share": SHARE, **RECIPE, "batch.size": 64, **stages}
    return Candidate(
        backbone=backbone,
        objective="supervised",
        architecture=architecture,
        recipe=RECIPE,
        pretraining=pretraining,
        adaptation={"method": "full"},
    )


def reached(backbone: str, name: str, seed: int, folder: Path) -> dict[str, float]:
    """Features after the pretraining, accuracy in the end, distance of the weights from those of the first stage."""
    splits = load_source("digits", {"labels": 0.1})
    one, weights = candidate(backbone, STAGES[name]), []
    checkpoint = Checkpoint(path=folder / f"{backbone}-{name}-{seed}.pt")
    reports = []
    stages = [stage.reports for stage in pretrainings_of(one, EPOCHS)]
    ends = {stages[0], sum(stages)}
    for report in trial(Task(candidate=one, epochs=EPOCHS, seed=seed), splits, checkpoint=checkpoint):
        reports.append(report)
        if report.epoch in ends:
            saved = checkpoint.load()
            assert saved is not None
            floats = [value.flatten() for value in saved["evaluated"].values() if value.is_floating_point()]
            weights.append(torch.cat(floats))
    moved = float((weights[-1] - weights[0]).norm() / weights[0].norm())
    return {"features": reports[sum(stages) - 1].accuracy, "accuracy": reports[-1].accuracy, "moved": moved}


@pytest.mark.parametrize("backbone", NETWORKS)
def test_further_stages_at_equal_passes(backbone: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    base: dict[str, np.ndarray] = {}
    for name in STAGES:
        rows = [reached(backbone, name, seed, tmp_path) for seed in range(SEEDS)]
        found = {key: np.array([row[key] for row in rows]) for key in rows[0]}
        figures = {key: value_S.round(3).tolist() for key, value_S in found.items()}
        apart = {key: difference(base[key], found[key]) for key in ("features", "accuracy") if base}
        print(f"{backbone}, {name}: {figures}; minus once {apart}", flush=True)
        base = base or found
        assert (found["accuracy"] > 0.2).all()
