"""Tokens left out by what they may send against as many left out at random, at equal macs, and none left out."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from spaces.candidate import Candidate
from tests.benchmarks.kept import kept
from tests.benchmarks.small import RECIPE
from trainables.backbones._reversed import DependencyViT
from trainables.data.sources import load_source
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

VIT: dict[str, Any] = {
    "resolution": 16, "patch": 2, "width": 32, "depth": 4, "head_width": 16, "mlp_ratio": 2.0, "pooling": "mean",
    "registers": 0, "attention": "reversed",
}  # fmt: skip
PASSES = 30
ARMS = {"none": 0.0, "by mass": 0.25, "at random": 0.25}
"""Share of the 64 tokens that each of the first three blocks leaves out: 16, so that the last one has 16."""


def at_random(kept_of: Callable[..., tuple[Tensor, Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """``DependencyViT._kept`` by a mass that is drawn; what goes on is the tokens' own mass."""

    def kept_at_random(
        self: DependencyViT, stays: int, x_BTC: Tensor, mass_BT: Tensor, place_BT: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        drawn_BT = torch.rand_like(mass_BT)
        # The mass travels as one more channel of the tokens.
        both_BTC, _, place_BT = kept_of(self, stays, torch.cat([x_BTC, mass_BT[..., None]], dim=2), drawn_BT, place_BT)
        return both_BTC[..., :-1], both_BTC[..., -1], place_BT

    return kept_at_random


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("source", ["digits", "canvas"])
def test_what_is_left_out(source: str, arm: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    if arm == "at random":
        monkeypatch.setattr(DependencyViT, "_kept", at_random(DependencyViT._kept))

    def measure() -> dict[str, float]:
        splits = load_source(source, {"images": 1_000, "side": 16, "most": 1} if source == "canvas" else {})
        candidate = Candidate(
            backbone="vit", objective="supervised", architecture={**VIT, "pruned": ARMS[arm]}, recipe=RECIPE
        )
        return {"accuracy": list(trial(Task(candidate=candidate, epochs=PASSES, seed=seed), splits))[-1].accuracy}

    assert kept(f"pruned_tokens_{source}", arm, seed, measure)["accuracy"] > 0.1
