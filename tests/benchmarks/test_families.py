"""A hand-picked small network of each family at about a million macs, on digits at 16 pixels. Prints the table."""

from typing import Any

import numpy as np
import pytest

from spaces import components, small_families
from spaces.candidate import Candidate, keywords
from tests.benchmarks.small import RECIPE
from trainables.data.sources import load_source
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

SEEDS = 3
EPOCHS = 10
MILLION = {
    "mobile": {
        "stem_width": 12, "stem_stride": 1, "activation": "relu", "head_expansion": 2, "head_width": 64,
        "width": (12, 16, 40), "depth": (1, 1, 2), "kernel": (3, 3, 3), "expansion": (3, 3, 3),
        "squeeze_excite": (False, False, False), "stride": (1, 2, 2),
    },
    "tiny_vit": {
        "mlp_ratio": 2.0, "conv_expansion": 2, "width": (32, 64, 64), "depth": (1, 2, 2), "window": (4, 2),
    },
    "vit": {
        "patch": 4, "width": 48, "depth": 3, "head_width": 16, "mlp_ratio": 2.0, "pooling": "mean", "registers": 0,
    },
    "moat": {
        "stem_stride": 1, "stem_width": 8, "expansion": 2, "positions": "bias", "width": (16, 32, 64),
        "depth": (1, 2, 2), "window": (0, 4, 4),
    },
    "cswin": {
        "stem_stride": 2, "width": 16, "heads": 2, "mlp_ratio": 2.0, "depth": (2, 2, 2), "stripe": (1, 2, 0),
    },
    "uniformer": {
        "stem": "conv", "stem_stride": 2, "switch": 1, "local_kernel": 5, "head_width": 16, "mlp_ratio": 2.0,
        "width": (16, 32, 64), "depth": (2, 2, 2),
    },
}  # fmt: skip
"""Values by keyword of the family's ``build``, all of them in space ``small_families``."""


def candidate(family: str, rate: float) -> Candidate:
    architecture: dict[str, Any] = {"resolution": 16}
    for keyword, value in MILLION[family].items():
        items = enumerate(value) if isinstance(value, tuple) else ()
        architecture |= {f"{keyword}.{stage}": item for stage, item in items} or {keyword: value}
    recipe = {**RECIPE, "optimizer.learning_rate.adamw": rate}
    return Candidate(backbone=family, objective="supervised", architecture=architecture, recipe=recipe)


@pytest.mark.parametrize("rate", [3e-3, 1e-2])
@pytest.mark.parametrize("family", MILLION)
def test_every_family_learns(family: str, rate: float) -> None:
    chosen = candidate(family, rate)
    space = small_families.space()
    values = space.addressed(chosen)
    assert all(value in space.dimension(address).values for address, value in values.items() if "recipe" not in address)
    splits = load_source("digits", {})
    counts = components.load(components.BACKBONES, family).cost(
        classes=10, channels=1, **keywords(chosen.architecture)
    )[0]
    accuracies = [
        [report.accuracy for report in trial(Task(candidate=chosen, epochs=EPOCHS, seed=seed), splits)][-1]
        for seed in range(SEEDS)
    ]
    print(
        f"\n{family:10} rate {rate:g}: macs {counts.macs:,}, params {counts.params:,}, accuracy "
        f"{np.mean(accuracies):.3f} ({np.std(accuracies, ddof=1):.3f}) {accuracies}"
    )
    assert min(accuracies) > 0.5
