"""Which divergence a pupil without labels learns best by (SSLD), from a teacher that is better than the pupil alone.

Digits of which a tenth have labels; the pupil, a small convolutional network, sees all images and none of the labels.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spaces.candidate import Candidate
from tests.benchmarks.kept import kept
from tests.benchmarks.small import ARCHITECTURE, EPOCHS, RECIPE, as_teacher
from trainables.data.sources import load_source
from trainables.final.jobs import FinalJob, train
from trainables.objectives import jensen_shannon
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

pytestmark = pytest.mark.benchmark

LABELS = {"labels": 0.1}
PUPIL = Candidate(backbone="mobile", objective="supervised", architecture=ARCHITECTURE["mobile"], recipe=RECIPE)
ARMS = ("labels alone", "jensen_shannon", "distillation", "scores' mean square", "dist", "standardised")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a transformer after SimCLR and fine-tuning on the labels."""
    torch.set_num_threads(1)
    folder, splits = tmp_path_factory.mktemp("teacher"), load_source("digits", LABELS)
    candidate = Candidate(
        backbone="tiny_vit",
        objective="supervised",
        architecture=ARCHITECTURE["tiny_vit"],
        recipe=RECIPE,
        pretraining={"objective": "simclr", "share": 0.5, **RECIPE, "batch.size": 64},
        adaptation={"method": "full"},
    )
    task, checkpoint = Task(candidate=candidate, epochs=EPOCHS, seed=100), Checkpoint(path=folder / "last.pt")
    print("\nteacher:", list(trial(task, splits, checkpoint=checkpoint))[-1].accuracy)
    return as_teacher(trained(task, splits, checkpoint), candidate, splits, folder)


def mean_square(score_BK: Tensor, teacher_BK: Tensor) -> Tensor:
    return F.mse_loss(score_BK, teacher_BK)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", range(3))
def test_which_divergence_teaches_a_pupil_without_labels(
    arm: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    objective = arm
    if arm == "scores' mean square":  # is no objective of its own
        monkeypatch.setattr(jensen_shannon, "jensen_shannon", mean_square)
        objective = "jensen_shannon"

    def measure() -> dict[str, float]:
        taught: dict[str, Any] = {}
        if arm != "labels alone":
            taught = {
                "teachers": (request.getfixturevalue("teacher"),),
                "objective": objective,
                "distillation_weight": 1.0,
                "label_weight": 0.0,
            }
        job = FinalJob(name="pupil", candidate=PUPIL, epochs=EPOCHS, seed=seed, **taught)
        splits = load_source("digits", LABELS)
        return {"accuracy": list(train(job, splits, tmp_path))[-1].accuracy}

    assert kept("divergences", arm, seed, measure)["accuracy"] > 0.3
