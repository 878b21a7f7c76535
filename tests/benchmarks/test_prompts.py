"""Prompts at 1 to 16 labels a class, against class names alone and a linear probe on the same labels (CoOp)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from spaces.candidate import Candidate
from spaces.dimensions import Value
from tests.benchmarks.kept import kept
from tests.benchmarks.stamps import candidate_of, needs_stamps, stamps
from tests.benchmarks.test_captions_pretrained import LITE0, RATE
from trainables.assess import pooled
from trainables.assess.linear_probe import classify
from trainables.splits import Splits
from trainables.training.checkpoint import Checkpoint
from trainables.training.features import accuracy
from trainables.training.trial import Task, trained, trial

pytestmark = [pytest.mark.benchmark, needs_stamps]

SEEDS = (0, 1, 2)
SHOTS = (1, 2, 4, 8, 16)
BEFORE, AFTER = 3, 1
"""Passes of compute of a locked network with captions, and of what follows."""
CONFIG = Path("configs/captions_pretrained.yaml")
ARCHITECTURE: dict[str, Value] = {"name": LITE0.model, "resolution": 64, "weights": "pretrained"}


def shown(splits: Splits, shots: int, seed: int) -> Splits:
    """With so many labels of each class, or all where it has fewer; all images stay to be pretrained on."""
    rng, label_N = np.random.default_rng(seed), splits.train.label_N
    rows = [rng.permutation(np.flatnonzero(label_N == one))[:shots] for one in range(len(splits.classes))]
    return replace(splits, train=splits.train.take(np.sort(np.concatenate(rows))), pool=splits.train)


def following(method: dict[str, Value]) -> Candidate:
    own = candidate_of(BEFORE, {RATE: 1e-3, "clip.locked": True}, backbone="timm_model", architecture=ARCHITECTURE)
    recipe = {**own.recipe, "batch.size": 32}
    pretraining = {**own.pretraining, "share": BEFORE / (BEFORE + AFTER)}
    return replace(own, adaptation=method, recipe=recipe, pretraining=pretraining)


@pytest.mark.filterwarnings("ignore:The number of unique classes")  # scikit-learn's of one or two labels a class
@pytest.mark.parametrize("seed", SEEDS)
def test_what_labels_bring(seed: int, tmp_path: Path) -> None:
    synonyms = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["data"]["synonyms"]
    whole = replace(stamps(seed, resolution=64, synonyms=synonyms), weights={"lite0": LITE0})

    def reached(method: dict[str, Value], splits: Splits) -> dict[str, float]:
        torch.set_num_threads(1)
        task = Task(candidate=following(method), epochs=BEFORE + AFTER, seed=seed)
        checkpoint = Checkpoint(path=tmp_path / "x.pt")
        checkpoint.path.unlink(missing_ok=True)
        for _ in trial(task, splits, checkpoint=checkpoint, cache=tmp_path / "cache"):
            pass
        network = trained(task, splits, checkpoint)
        known_NF, query_MF = pooled(network, splits.train), pooled(network, splits.test)
        label_N = torch.from_numpy(splits.train.label_N)
        found_M = classify(known_NF, label_N, query_MF, classes=len(splits.classes)).numpy()
        probe = float((found_M == splits.test.label_N).mean())
        return {"accuracy": accuracy(network, splits.test), "linear probe": probe, "labels": len(label_N)}

    kept("prompts", "class names", seed, lambda: reached({"method": "zero_shot"}, whole))
    for shots in SHOTS:
        splits = shown(whole, shots, seed)
        kept("prompts", f"{shots} a class", seed, lambda splits=splits: reached({"method": "prompts"}, splits))
    kept("prompts", "all labels", seed, lambda: reached({"method": "prompts"}, whole))
