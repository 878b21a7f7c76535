"""What UniFormer sees of which way a digit moves: in one frame, in frames stacked as channels, and in time.

One frame is at chance, .125, by construction. Same widths, depths, recipe and passes; macs are printed.
"""

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate, keywords
from tests.benchmarks.small import RECIPE, difference
from trainables.backbones import uniformer
from trainables.data.sources import load_source
from trainables.training.trial import Task, trial

pytestmark = pytest.mark.benchmark

EPOCHS, SEEDS, FRAMES = 10, 3, 8
UNIFORMER = {
    "resolution": 12, "width.0": 8, "width.1": 16, "width.2": 32, "depth.0": 1, "depth.1": 1, "depth.2": 1, "switch": 2,
    "local_kernel": 3, "head_width": 16, "mlp_ratio": 2.0, "stem": "patch", "stem_stride": 2,
}  # fmt: skip


def test_what_is_seen_of_a_direction():
    torch.set_num_threads(1)
    networks = {"one frame": (1, 1), "stacked": (FRAMES, 1), "in time": (FRAMES, FRAMES)}
    reached_S = {}
    for name, (shown, frames) in networks.items():
        splits = load_source("moving", {"images": 800, "side": 12, "frames": shown})
        architecture = {**UNIFORMER, "frames": frames}
        macs = uniformer.cost(classes=8, channels=shown, **keywords(architecture))[0].macs
        candidate = Candidate(backbone="uniformer", objective="supervised", architecture=architecture, recipe=RECIPE)
        reached_S[name] = np.array(
            [list(trial(Task(candidate=candidate, epochs=EPOCHS, seed=s), splits))[-1].accuracy for s in range(SEEDS)]
        )
        print(f"{name}: {macs:,} macs, {reached_S[name].round(3).tolist()}", flush=True)
    print(f"in time minus stacked: {difference(reached_S['stacked'], reached_S['in time'])}")
    assert abs(reached_S["one frame"].mean() - 1 / 8) < 0.1
    assert reached_S["in time"].mean() > 0.25
