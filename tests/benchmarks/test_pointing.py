"""Does the loss between captions and places point at what captions name? On canvases of digits, which are derived."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.benchmarks.kept import kept
from tests.benchmarks.stamps import MOBILE, candidate_of
from trainables.assess import pointing
from trainables.data.sources import load_source
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

pytestmark = pytest.mark.benchmark

PASSES = 15
SEEDS = (0, 1, 2)
ARMS: Mapping[str, Mapping[str, Any]] = {
    "clip": {},
    "places": {"clip.places": 1.0},
    "places, weight .3": {"clip.places": 0.3},
    "places for own": {"clip.places": 1.0, "clip.grouped_for": "own"},
    "places for own, weight .3": {"clip.places": 0.3, "clip.grouped_for": "own"},
}
FINE = {**MOBILE, "stride.1": 1, "stride.2": 1, **{f"squeeze_excite.{stage}": False for stage in range(3)}}
"""The last map has 8 x 8 places, none of which knows what the others show but by its own field of view."""


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_where_captions_point(arm: str, seed: int, tmp_path: Path) -> None:
    """The caption is the class of the largest of two or three digits."""

    def measure() -> dict[str, float]:
        keywords = {"images": 1500, "fewest": 2, "most": 3, "smallest": 0.25, "largest": 0.5, "split_seed": seed}
        splits = load_source("canvas", {**keywords, "class_captions": 1.0})
        knobs = {"clip.crop": 1.0, "batch.size": 128, **ARMS[arm]}
        task = Task(candidate=candidate_of(PASSES, knobs, architecture=FINE), epochs=PASSES + 1, seed=seed)
        torch.set_num_threads(1)
        checkpoint = Checkpoint(path=tmp_path / "x.pt")
        *_, before, last = trial(task, splits, checkpoint=checkpoint)
        measures = pointing.assess(trained(task, splits, checkpoint), splits).measures
        figures = {f"pointing {one.metric}": one.value for one in measures}
        monitors = {name: before.monitors[name] for name in ("found", "scale")}
        return {"zero-shot": last.accuracy, **figures, **monitors, "loss": before.loss, "seconds": last.seconds}

    kept("pointing", arm, seed, measure)
