"""What stored vectors of captions bring beside labels, and whether those of other images bring it, too."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.benchmarks.kept import kept
from tests.benchmarks.stamps import candidate_of, needs_stamps, stamps
from trainables.batches.fields import TEXT
from trainables.splits import Images
from trainables.training.checkpoint import Checkpoint
from trainables.training.features import accuracy
from trainables.training.trial import Task, trained, trial

pytestmark = [pytest.mark.benchmark, needs_stamps]

PASSES, AFTER = 15, 5
SEEDS = (0, 1, 2, 3, 4)
ARMS: Mapping[str, tuple[float, bool]] = {
    "labels": (0.0, False),
    "vectors": (0.3, False),
    "vectors of others": (0.3, True),
    "vectors, weight 1": (1.0, False),
    "vectors of others, weight 1": (1.0, True),
}
"""Weight, and whether every image has another's vector."""


def permuted(images: Images, seed: int) -> Images:
    row_N = np.random.default_rng(seed).permutation(len(images))
    return replace(images, fields={**images.fields, TEXT: images.fields[TEXT][row_N]})


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_vectors_of_texts_bring(arm: str, seed: int, tmp_path: Path) -> None:
    weight, others = ARMS[arm]

    def measure() -> dict[str, float]:
        splits = stamps(seed, text_vectors="ngrams")
        splits = replace(splits, train=permuted(splits.train, seed)) if others else splits
        knobs = {"objective": "supervised+text_side", "weight.supervised": 1.0, "weight.text_side": weight}
        candidate = candidate_of(PASSES, knobs)
        candidate = replace(
            candidate,
            pretraining={**candidate.pretraining, "share": PASSES / (PASSES + AFTER)},
            adaptation={"method": "full"},
        )
        torch.set_num_threads(1)
        task, checkpoint = Task(candidate=candidate, epochs=PASSES + AFTER, seed=seed), Checkpoint(path=tmp_path / "x")
        reports = list(trial(task, splits, checkpoint=checkpoint))
        network = trained(task, splits, checkpoint)
        before = reports[PASSES - 1]
        figures = {"test accuracy": accuracy(network, splits.test), "search-validation": reports[-1].accuracy}
        return {**figures, "nearest mean": before.accuracy, **before.monitors, "seconds": reports[-1].seconds}

    kept("text_side", arm, seed, measure)
