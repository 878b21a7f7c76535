"""What pretraining leaves in features beyond its own labels: finer classes, and what is where.

LOOK and SelfCon learn from five super-classes of the digits, and protocols tell the ten apart (LOOK's claim in
miniature); PixPro is judged by a linear classifier at each place of canvases. At equal passes; features rest then.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, RECIPE, difference
from trainables.assess import dense_probe, levels
from trainables.data.sources import load_source
from trainables.splits import Splits
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

pytestmark = pytest.mark.benchmark

EPOCHS, SHARE, SEEDS = 10, 0.9, 3
PAIRS = {f"{one}{one + 1}": [str(one), str(one + 1)] for one in range(0, 10, 2)}


def figures(splits: Splits, objective: str, seed: int, folder: Path, judge: Any) -> dict[str, float]:
    """What an evaluation says after a pretraining, by part."""
    pretraining = {"objective": objective, "share": SHARE, **RECIPE, "batch.size": 64}
    candidate = Candidate(
        backbone="mobile",
        objective="supervised",
        architecture=ARCHITECTURE["mobile"],
        recipe=RECIPE,
        pretraining=pretraining,
        adaptation={"method": "linear"},
    )
    task = Task(candidate=candidate, epochs=EPOCHS, seed=seed)
    checkpoint = Checkpoint(path=str(folder / f"{objective}-{seed}.pt"))
    for _ in trial(task, splits, checkpoint=checkpoint):
        pass
    said = judge.assess(trained(task, splits, checkpoint), splits, seed=0)
    return {f"{one.metric} {one.part}": one.value for one in said.measures}


def compared(splits: Splits, objectives: list[str], folder: Path, judge: Any, metrics: list[str]) -> None:
    reached = {
        objective: [figures(splits, objective, seed, folder, judge) for seed in range(SEEDS)]
        for objective in objectives
    }
    for metric in metrics:
        value_S = {name: np.array([one[metric] for one in own]) for name, own in reached.items()}
        for name, own_S in value_S.items():
            against = "" if name == objectives[0] else f"; minus {objectives[0]} "
            gap = "" if name == objectives[0] else difference(value_S[objectives[0]], own_S)
            print(f"{metric}: {name} {own_S.round(3).tolist()}{against}{gap}", flush=True)
            assert np.isfinite(own_S).all()


def test_finer_classes(tmp_path: Path):
    torch.set_num_threads(1)
    splits = load_source("digits", {"super_classes": PAIRS})
    metrics = ["accuracy knn", "accuracy linear_probe"]
    compared(splits, ["supervised", "look", "selfcon", "simclr"], tmp_path, levels, metrics)


def test_what_is_where(tmp_path: Path):
    torch.set_num_threads(1)
    splits = load_source("canvas", {"images": 1000, "side": 24, "most": 2})
    compared(splits, ["simclr", "pixpro"], tmp_path, dense_probe, ["mean iou "])
