"""What masked objectives of plain transformers bring at equal passes, with a tenth of the labels.

Also printed: seconds of processor time, since decoders, which are no part of the backbone, are not in the passes.
"""

import time
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import RECIPE, difference
from trainables.data.sources import load_source
from trainables.training.building import build
from trainables.training.features import features_of, score
from trainables.training.trial import Task, trial
from trainables.training.world import World

pytestmark = pytest.mark.benchmark

EPOCHS, SHARE, SEEDS = 12, 0.75, 3
VIT = {
    "patch": 4, "width": 64, "depth": 3, "head_width": 16, "mlp_ratio": 2.0, "pooling": "mean", "registers": 0,
}  # fmt: skip
DATA: dict[str, tuple[dict[str, Any], int]] = {
    "digits": ({"labels": 0.1}, 16),
    "fashion_mnist": ({"labels": 0.1, "train_images": 3000}, 28),
}
"""Keywords of each source, and the side at which it is seen."""
OBJECTIVES: dict[str, dict[str, Any]] = {
    "none": {},
    "mae": {},
    "cae": {},
    "cae, codes": {"cae.target": "codes"},
    "croco": {},
    "selfie": {},
    "simmim": {},
    "simclr": {},
    "simclr+mae": {},
}


def untrained(source: str, seed: int) -> float:
    """Search-validation accuracy of the nearest class mean of features of a network as initialised."""
    splits = load_source(source, DATA[source][0])
    torch.manual_seed(seed)
    network = build(candidate(source, "none", {}), splits)
    features = features_of(network, splits.train, splits.validation, world=World(), device=torch.device("cpu"))
    return score(features, "nearest_mean", classes=10, world=World(), device=torch.device("cpu"))


def candidate(source: str, objective: str, knobs: dict[str, Any]) -> Candidate:
    """The transformer, with or without pretraining."""
    stages = {}
    if objective != "none":
        pretraining = {"objective": objective, "share": SHARE, **RECIPE, "batch.size": 64, **knobs}
        stages = {"pretraining": pretraining, "adaptation": {"method": "full"}}
    architecture = {**VIT, "resolution": DATA[source][1]}
    return Candidate(backbone="vit", objective="supervised", architecture=architecture, recipe=RECIPE, **stages)


def reached(source: str, name: str, seed: int) -> dict[str, float]:
    """Nearest class mean after pretraining, accuracy after the whole compute, what was watched, processor seconds."""
    splits = load_source(source, DATA[source][0])
    torch.set_num_threads(1)
    started = time.process_time()
    objective = name.partition(",")[0]
    task = Task(candidate=candidate(source, objective, OBJECTIVES[name]), epochs=EPOCHS, seed=seed)
    reports = list(trial(task, splits))
    last = reports[round(SHARE * EPOCHS) - 1]
    return {
        "features": last.accuracy,
        "accuracy": reports[-1].accuracy,
        "seconds": time.process_time() - started,
        **last.monitors,
    }


@pytest.mark.parametrize("source", DATA)
def test_masked_objectives_at_equal_passes(source):
    print(f"\n{source}: untrained features {[round(untrained(source, seed), 3) for seed in range(SEEDS)]}")
    scratch_S = np.array([reached(source, "none", seed)["accuracy"] for seed in range(SEEDS)])
    print(f"from scratch {scratch_S.mean():.3f} (deviation over seeds {scratch_S.std(ddof=1):.3f})")
    for name in OBJECTIVES:
        rows = [reached(source, name, seed) for seed in range(SEEDS)]
        figures = {key: [round(row[key], 3) for row in rows] for key in rows[0]}
        reached_S = np.array([row["accuracy"] for row in rows])
        assert (reached_S > 0.2).all()
        print(f"{name}: {figures}; minus from scratch {difference(scratch_S, reached_S)}")
