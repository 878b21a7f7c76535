"""What the benchmarks of objectives, adaptation and ingredients train."""

from pathlib import Path

import numpy as np
from scipy import stats

from spaces.candidate import Candidate
from trainables.deploy import Deployable
from trainables.final.timm_folder import write_timm_folder
from trainables.splits import Splits

SEEDS = 5
EPOCHS = 12
ARCHITECTURE = {
    "mobile": {
        "resolution": 16,
        "stem_width": 8,
        "stem_stride": 1,
        "activation": "relu",
        "head_expansion": 2,
        "head_width": 64,
        **{f"width.{stage}": width for stage, width in enumerate((8, 16, 32))},
        **{f"depth.{stage}": 1 for stage in range(3)},
        **{f"kernel.{stage}": 3 for stage in range(3)},
        **{f"expansion.{stage}": 3 for stage in range(3)},
        **{f"squeeze_excite.{stage}": False for stage in range(3)},
        **{f"stride.{stage}": stride for stage, stride in enumerate((1, 2, 2))},
    },
    "tiny_vit": {
        "resolution": 16,
        "mlp_ratio": 2.0,
        "conv_expansion": 2,
        **{f"width.{stage}": 32 for stage in range(3)},
        **{f"depth.{stage}": 1 for stage in range(3)},
        **{f"window.{stage}": 2 for stage in range(2)},
    },
}
RECIPE = {
    "batch.size": 32,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 1,
    "schedule.final": 0.01,
    "optimizer.name": "adamw",
    "optimizer.learning_rate.adamw": 3e-3,
    "optimizer.weight_decay": 1e-3,
}


def as_teacher(network: Deployable, candidate: Candidate, splits: Splits, folder: Path) -> str:
    """The name of a trained network as a teacher, written below a folder."""
    (folder / "network").mkdir()
    write_timm_folder(network, splits.decoding, candidate, splits.classes, folder / "network")
    return f"local-dir:{folder / 'network'}"


def difference(one_S: np.ndarray, other_S: np.ndarray) -> str:
    """The other minus the one, in percentage points, with Student's 95 % interval."""
    difference_S = 100 * (other_S - one_S)
    low, high = stats.t.interval(0.95, len(difference_S) - 1, difference_S.mean(), stats.sem(difference_S))
    return f"{difference_S.mean():+.2f} points [{low:+.2f}, {high:+.2f}]"
