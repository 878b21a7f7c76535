"""Spread of singular values and probe accuracy below and above the projection, for views that keep and that destroy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.small import ARCHITECTURE, EPOCHS, RECIPE, difference
from trainables.data.sources import load_source
from trainables.final.projection import PROBES, before_and_after
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task

pytestmark = pytest.mark.benchmark

SEEDS = 5
VIEWS = {"crops from .3": {"simclr.crop": 0.3}, "crops from .9": {"simclr.crop": 0.9}}


@pytest.mark.parametrize("views", VIEWS)
def test_features_below_a_projection_are_more_even(views: str, tmp_path: Path) -> None:
    """SimCLR with three layers, six passes over the digits, a tenth of which have labels."""
    torch.set_num_threads(1)
    splits = load_source("digits", {"labels": 0.1})
    candidate = Candidate(
        backbone="mobile",
        objective="supervised",
        architecture={**ARCHITECTURE["mobile"], "neck": 0},
        recipe=RECIPE,
        pretraining={
            "objective": "simclr", "share": 0.5, **RECIPE, "batch.size": 64, "simclr.layers": 3, **VIEWS[views]
        },
        adaptation={"method": "full"},
    )  # fmt: skip
    pairs = [
        before_and_after(
            Task(candidate=candidate, epochs=EPOCHS, seed=seed), splits, Checkpoint(path=tmp_path / f"{seed}.pt")
        )
        for seed in range(SEEDS)
    ]
    below_S, above_S = (np.array([pair[side].spread for pair in pairs]) for side in (0, 1))
    ranks = ", ".join(f"{np.mean([pair[side].rank for pair in pairs]):.1f}" for side in (0, 1))
    print(f"\n{views}: rank below and above {ranks}; spread {below_S.mean():.2f}, {above_S.mean():.2f}")
    for probe in PROBES:
        below_S, above_S = (np.array([pair[side].accuracy[probe] for pair in pairs]) for side in (0, 1))
        print(f"{probe}: {below_S.mean():.3f}, {above_S.mean():.3f}; {difference(below_S, above_S)}")
