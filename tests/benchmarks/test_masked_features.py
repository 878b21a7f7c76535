"""Features after masked pretraining beside those of the untrained network, on Fashion-MNIST, by three protocols."""

from pathlib import Path

import pytest
import torch

from spaces.candidate import Candidate
from tests.benchmarks.kept import kept
from tests.benchmarks.small import ARCHITECTURE, RECIPE
from trainables.assess.probes import by_protocol
from trainables.data.sources import load_source
from trainables.training.building import build
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

pytestmark = pytest.mark.benchmark

DATA = {"train_images": 1_250, "test_images": 2_000}
PASSES = 40
"""With one more for a linear classifier on features at rest, which moves none of them. After eight, none of SparK's
differences is beyond the spread over seeds."""
ARMS: dict[str, tuple[str, str | None]] = {
    "mobile, untrained": ("mobile", None),
    "mobile, spark": ("mobile", "spark"),
    "tiny_vit, untrained": ("tiny_vit", None),
    "tiny_vit, simmim": ("tiny_vit", "simmim"),
}


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("seed", range(5))
def test_features_beside_those_of_the_untrained_network(arm: str, seed: int, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    backbone, objective = ARMS[arm]

    def measure() -> dict[str, float]:
        splits = load_source("fashion_mnist", DATA)
        stages = {}
        if objective is not None:
            stages = {
                "pretraining": {
                    "objective": objective, "share": PASSES / (PASSES + 1), **RECIPE, "batch.size": 64
                },
                "adaptation": {"method": "linear"},
            }  # fmt: skip
        candidate = Candidate(
            backbone=backbone,
            objective="supervised",
            architecture={**ARCHITECTURE[backbone], "resolution": 28},
            recipe=RECIPE,
            **stages,
        )
        monitors = {}
        if objective is None:
            torch.manual_seed(seed)
            network = build(candidate, splits).eval()
        else:
            task, checkpoint = (
                Task(candidate=candidate, epochs=PASSES + 1, seed=seed),
                Checkpoint(path=tmp_path / "last.pt"),
            )
            reports = list(trial(task, splits, checkpoint=checkpoint))
            monitors = {"loss": reports[PASSES - 1].loss, "first loss": reports[0].loss}
            network = trained(task, splits, checkpoint)
        known, judged = splits.train, splits.test
        classes = (torch.from_numpy(images.label_N) for images in (known, judged))
        known_N, right_M = classes
        found = by_protocol(network, known, known_N, judged, right_M)
        return {measure.part: measure.value for measure in found} | monitors

    assert kept("masked_features", arm, seed, measure)["nearest_mean"] > 0.1
