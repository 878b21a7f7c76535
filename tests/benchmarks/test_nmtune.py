"""What NMTune brings over a linear probe on features of a network that was pretrained on wrong labels.

Pretraining sees a share of wrong labels, adaptation the right ones of the same digits; search-validation is judged
clean and under corruptions, which stand for data from elsewhere.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, RECIPE, difference
from trainables.assess import corruption, spectrum
from trainables.data.sources import load_source
from trainables.deploy import Deployable
from trainables.splits import Splits
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

pytestmark = pytest.mark.benchmark

EPOCHS, SHARE, SEEDS = 16, 0.5, 5
NOISE = (0.0, 0.1, 0.3)
METHODS: dict[str, dict[str, Any]] = {
    "linear": {"method": "linear"},
    "mlp": {"method": "nmtune", "nmtune.consistency": 0.0, "nmtune.covariance": 0.0, "nmtune.spectrum": 0.0},
    "nmtune": {"method": "nmtune"},
    "nmtune, crops": {"method": "nmtune", "nmtune.crop": 0.8},
    "full": {"method": "full"},
}


def candidate(noise: float, adaptation: dict[str, Any]) -> Candidate:
    pretraining = {"objective": "supervised", "share": SHARE, **RECIPE, "batch.size": 64, "label_noise.share": noise}
    return Candidate(
        backbone="mobile",
        objective="supervised",
        architecture={**ARCHITECTURE["mobile"], "neck": 0},
        recipe=RECIPE,
        pretraining=pretraining,
        adaptation=adaptation,
    )


def judged(network: Deployable, splits: Splits) -> dict[str, float]:
    """Accuracy clean and corrupted, and the entropy of the singular values of the frozen features."""
    seen = corruption.assess(network, splits, severities=(2, 4)).measures
    figures = {one.metric: one.value for one in seen if not one.part}
    entropy = next(one.value for one in spectrum.assess(network, splits).measures if one.metric == "entropy")
    return {"clean": figures["clean"], "corrupted": figures["accuracy"], "entropy": entropy}


def reached(noise: float, method: str, seed: int, folder: Path) -> dict[str, float]:
    splits = load_source("digits", {})
    task = Task(candidate=candidate(noise, METHODS[method]), epochs=EPOCHS, seed=seed)
    checkpoint = Checkpoint(path=folder / f"{noise}-{method}-{seed}.pt")
    for _ in trial(task, splits, checkpoint=checkpoint):
        pass
    return judged(trained(task, splits, checkpoint), replace(splits, test=splits.validation))


def test_wrong_labels_in_pretraining(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    for noise in NOISE:
        base: dict[str, np.ndarray] = {}
        for method in METHODS:
            rows = [reached(noise, method, seed, tmp_path) for seed in range(SEEDS)]
            found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            means = {name: round(float(value_S.mean()), 3) for name, value_S in found.items()}
            apart = {name: difference(base[name], found[name]) for name in ("clean", "corrupted") if base}
            print(f"noise {noise}, {method}: {means}; minus linear {apart}", flush=True)
            base = base or found
            assert (found["clean"] > 0.2).all()
