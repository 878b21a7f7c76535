"""What benchmarks of captions train on stamps, and how they judge it."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.candidate import Candidate
from spaces.dimensions import Value
from trainables.assess._reading import directions_of_images, texts_of
from trainables.assess.retrieval import ranks
from trainables.data.sources import load_source
from trainables.deploy import Deployable
from trainables.language.tower import is_text
from trainables.splits import Splits
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

PATH = "/usr/share/tuxpaint/stamps"
needs_stamps = pytest.mark.skipif(not Path(PATH).is_dir(), reason="tuxpaint-stamps-default is not installed")
RECIPE: dict[str, Value] = {
    "optimizer.name": "adamw", "optimizer.learning_rate.adamw": 3e-3, "optimizer.weight_decay": 0.05, "batch.size": 64,
    "schedule.name": "cosine", "schedule.warmup_epochs": 1, "schedule.final": 0.01,
}  # fmt: skip
MOBILE: dict[str, Value] = {
    "resolution": 32, "stem_width": 16, "stem_stride": 2, "activation": "relu", "head_expansion": 1, "head_width": 96,
    **{f"{name}.{stage}": value for name, values in {
        "width": (16, 32, 64), "depth": (1, 2, 2), "kernel": (3, 3, 3), "expansion": (3, 3, 3), "stride": (2, 2, 2),
        "squeeze_excite": (True, True, True),
    }.items() for stage, value in enumerate(values)},
}  # fmt: skip


def stamps(seed: int, resolution: int = 32, **knobs: Any) -> Splits:
    """573 stamps to train on and 148 to test, with captions by people in English, and the split of a seed."""
    own = {"path": PATH, "captions": ["own"], "resolution": resolution, "validation": 0.1}
    return load_source("folder", {**own, "split_seed": seed, **knobs})


def candidate_of(passes: int, pretraining: Mapping[str, Any], **changed: Any) -> Candidate:
    """So many passes' compute of learning from captions, and one that only fits a temperature."""
    own: dict[str, Any] = {"backbone": "mobile", "architecture": MOBILE, **changed}
    return Candidate(
        objective="supervised",
        recipe={**RECIPE, "schedule.warmup_epochs": 0},
        pretraining={"objective": "clip", "share": passes / (passes + 1), **RECIPE, **pretraining},
        adaptation={"method": "zero_shot"},
        **own,
    )


def learnt(candidate: Candidate, splits: Splits, passes: int, seed: int, folder: Path) -> dict[str, float]:
    """Figures of captions of the test split, the loss of the last pass, and processor seconds."""
    torch.set_num_threads(1)
    task, checkpoint = Task(candidate=candidate, epochs=passes + 1, seed=seed), Checkpoint(path=folder / f"{seed}.pt")
    started = time.process_time()
    reports = list(trial(task, splits, checkpoint=checkpoint))
    seconds = time.process_time() - started
    figures = found(trained(task, splits, checkpoint), splits)
    features = reports[passes - 1].accuracy
    return {**figures, "nearest mean": features, "loss": reports[passes - 1].loss, "seconds": seconds}


def found(network: Deployable, splits: Splits) -> dict[str, float]:
    """Recall of first captions at 1 and 10, and how far down the right one is: 0 the first, .5 by chance.

    Each is the mean of finding texts of images and images of texts; ``chance`` is that of recall at 10.
    """
    texts, token_NL = texts_of(network), torch.from_numpy(splits.test.fields["caption"][:, 0].astype(np.int64))
    assert texts is not None
    there_N = is_text(token_NL)
    with torch.inference_mode():
        cosine_MM = directions_of_images(network, texts, splits.test)[there_N] @ texts.of_tokens(token_NL[there_N]).T
    kind_M = torch.unique(token_NL[there_N], dim=0, return_inverse=True)[1]
    same_MM = kind_M[:, None] == kind_M
    before = torch.stack([ranks(cosine_MM, same_MM), ranks(cosine_MM.T, same_MM)]).double()
    count = int(there_N.sum())
    figures = {f"recall {nearest}": float((before < nearest).double().mean()) for nearest in (1, 10)}
    return {**figures, "place": float(before.mean()) / (count - 1), "chance": 10 / count}
