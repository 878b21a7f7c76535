"""SimCLRv2's three steps at several shares of labels, in a small network and a large one.

A network is trained from scratch, or by SimCLR and fine-tuned; the large one then teaches both on the images without
labels (step three as a pretraining), after which they are fine-tuned on the labels. All at equal compute. The teacher
of a share is one network, of the first seed: intervals are over pupils.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from spaces.dimensions import Value
from tests.benchmarks.small import ARCHITECTURE, EPOCHS, RECIPE, SEEDS, as_teacher, difference
from trainables.data.sources import load_source
from trainables.splits import Splits
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

pytestmark = pytest.mark.benchmark

SMALL: dict[str, Value] = {**ARCHITECTURE["mobile"]}
LARGE: dict[str, Value] = {**SMALL, **{f"width.{stage}": width for stage, width in enumerate((16, 32, 64))}}
TAUGHT = "unlabelled_distillation"


def candidate_of(architecture: dict[str, Value], objective: str | None, **knobs: Any) -> Candidate:
    """From scratch, or three quarters of the compute pretrained, and fine-tuned on the labels."""
    stages: dict[str, Any] = {}
    if objective is not None:
        stages = {
            "pretraining": {"objective": objective, "share": 0.75, **RECIPE, "batch.size": 64, **knobs},
            "adaptation": {"method": "full"},
        }
    return Candidate(backbone="mobile", objective="supervised", architecture=architecture, recipe=RECIPE, **stages)


def reached(candidate: Candidate, splits: Splits, seed: int, checkpoint: Path | None = None) -> float:
    """Search-validation accuracy."""
    kept = None if checkpoint is None else Checkpoint(path=checkpoint)
    return list(trial(Task(candidate=candidate, epochs=EPOCHS, seed=seed), splits, checkpoint=kept))[-1].accuracy


def teacher_of(splits: Splits, folder: Path) -> str:
    """The name of the large network after steps one and two."""
    candidate, path = candidate_of(LARGE, "simclr", **{"simclr.layers": 3}), folder / "teacher.pt"
    reached(candidate, splits, 0, path)
    network = trained(Task(candidate=candidate, epochs=EPOCHS, seed=0), splits, Checkpoint(path=path))
    return as_teacher(network, candidate, splits, folder)


@pytest.mark.parametrize("share", [0.03, 0.1, 1.0])
def test_three_steps_in_a_small_network_and_a_large_one(share: float, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    splits = load_source("digits", {"labels": share} if share < 1 else {})
    teacher = teacher_of(splits, tmp_path)
    for size, architecture in (("small", SMALL), ("large", LARGE)):
        arms = {
            "scratch": candidate_of(architecture, None),
            "simclr": candidate_of(architecture, "simclr", **{"simclr.layers": 3}),
            "taught": candidate_of(architecture, TAUGHT, **{f"{TAUGHT}.teacher": teacher}),
        }
        scratch_S = None
        for name, candidate in arms.items():
            reached_S = np.array([reached(candidate, splits, seed) for seed in range(SEEDS)])
            scratch_S = reached_S if scratch_S is None else scratch_S
            compared = difference(scratch_S, reached_S)
            print(f"\n{len(splits.train)} labels, {size}, {name}: {reached_S.mean():.3f}; {compared}")
            assert (reached_S > 0.1).all()
