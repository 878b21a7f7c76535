"""What CLIP's options bring on stamps, each against plain CLIP at equal compute; see ``tests.benchmarks.kept``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.kept import kept
from tests.benchmarks.stamps import candidate_of, learnt, needs_stamps, stamps

pytestmark = [pytest.mark.benchmark, needs_stamps]

PASSES = 10
"""Of compute: after so many plain CLIP finds three times as many captions as by chance; after 20 it finds more."""
SEEDS = (0, 1, 2, 3, 4)
"""Of the split, the weights and all that is drawn."""
BOTH: Mapping[str, Any] = {"captions": ["own", "de"]}
NAMED: Mapping[str, Any] = {"class_captions": 0.3}
ARMS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "clip": ({}, {}),
    "captions of others": ({}, {"wrong_captions": 1.0}),
    "ALIGN": ({"clip.smoothing": 0.1, "clip.temperature": 1.0}, {}),
    "smoothing": ({"clip.smoothing": 0.1}, {}),
    "ConVIRT": ({"clip.direction": 0.75, "clip.learned": False, "clip.temperature": 0.1}, {}),
    "direction": ({"clip.direction": 0.75}, {}),
    "parts": ({"clip.parts": 2}, {}),
    "matching": ({"clip.matching": True}, {}),
    "prototypes": ({"clip.prototypes": 0.3}, {}),
    "places": ({"clip.places": 0.3}, {}),
    "words": ({"clip.words": 0.3}, {}),
    "painted": ({"clip.painted": 0.3}, {}),
    "clip+simclr": ({"objective": "clip+simclr"}, {}),
    "supervised+clip": ({"objective": "supervised+clip"}, {}),
    "two languages, one a step": ({}, BOTH),
    "two languages, both": ({"clip.captions": 2}, BOTH),
    "some class names": ({}, NAMED),
    "some class names, prefix": ({"clip.prefix": True, "clip.batches": "pure"}, NAMED),
}
"""What is changed of the pretraining and of the data. The last three pairs are compared with each other as well."""


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_an_option_brings(arm: str, seed: int, tmp_path: Path) -> None:
    pretraining, data = ARMS[arm]

    def measure() -> dict[str, float]:
        return learnt(candidate_of(PASSES, pretraining), stamps(seed, **data), PASSES, seed, tmp_path)

    kept("caption_options", arm, seed, measure)
