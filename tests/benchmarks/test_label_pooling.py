"""What labels pooled from a teacher's class map bring on canvases of several digits that are cut at random.

The class is the largest digit, which a cut may leave out: its given label is then wrong, a pooled one is of what is
left. Judged on whole canvases: accuracy, and how often the best class is of any digit that is shown.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from spaces.dimensions import Value
from tests.benchmarks.kept import kept
from tests.benchmarks.small import ARCHITECTURE, RECIPE, as_teacher
from trainables.data.sources import load_source
from trainables.deploy import Deployable
from trainables.splits import Splits
from trainables.training.checkpoint import Checkpoint
from trainables.training.features import scores
from trainables.training.trial import Task, trained, trial

pytestmark = pytest.mark.benchmark

CANVASES = {"images": 1_000, "side": 20, "fewest": 2, "most": 3}
SMALL: dict[str, Value] = {**ARCHITECTURE["mobile"], "resolution": 20}
LARGE: dict[str, Value] = {**SMALL, **{f"width.{stage}": width for stage, width in enumerate((16, 32, 64))}}
CROP = 0.8
PASSES, OF_TEACHER = 40, 60
WEIGHTS = {"given": 0.0, "pooled": 1.0}


def learnt(
    architecture: dict[str, Value], splits: Splits, passes: int, seed: int, folder: Path, **more: Any
) -> tuple[Candidate, Deployable]:
    recipe = {**RECIPE, "augment.crop": CROP, **more}
    candidate = Candidate(backbone="mobile", objective="supervised", architecture=architecture, recipe=recipe)
    task, kept_there = Task(candidate=candidate, epochs=passes, seed=seed), Checkpoint(path=folder / "last.pt")
    list(trial(task, splits, checkpoint=kept_there, cache=folder))
    return candidate, trained(task, splits, kept_there)


def figures(network: Deployable, splits: Splits) -> dict[str, float]:
    """On search-validation."""
    best_N = scores(network, splits.validation).argmax(1).numpy()
    shown_N = splits.validation.fields["labels"][np.arange(len(best_N)), best_N]
    return {"accuracy": (best_N == splits.validation.label_N).mean(), "shown": shown_N.mean()}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a network twice as wide, trained half as long again on the same cuts."""
    torch.set_num_threads(1)
    folder, splits = tmp_path_factory.mktemp("teacher"), load_source("canvas", CANVASES)
    candidate, network = learnt(LARGE, splits, OF_TEACHER, 100, folder)
    print("\nteacher:", figures(network, splits))
    return as_teacher(network, candidate, splits, folder)


@pytest.mark.parametrize("arm", WEIGHTS)
@pytest.mark.parametrize("seed", range(5))
def test_pooled_labels_beside_given_ones(arm: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    def measure() -> dict[str, float]:
        splits, weight = load_source("canvas", CANVASES), WEIGHTS[arm]
        pooling = {"label_pooling.weight": weight}
        if weight:
            pooling |= {"label_pooling.teacher": request.getfixturevalue("teacher")}
        return figures(learnt(SMALL, splits, PASSES, seed, tmp_path, **pooling)[1], splits)

    assert kept("label_pooling", arm, seed, measure)["shown"] > 0.3  # of ten digits two or three are shown
