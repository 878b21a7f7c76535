"""Several workers train what one trains at the same global batch."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from tests.trainables.neutral import neutral
from trainables.data import digits
from trainables.trial import Task, trial
from trainables.world import World

BATCH = 33
"""Of which one worker gets an image more than the other."""


def first(world: World) -> tuple[float, float]:
    """Loss and accuracy of the first epoch of two steps, the second of which sees what the first has changed.

    Later epochs say less: rounding of one part in ten million changes this network's second epoch by one in a thousand.
    """
    splits = digits.load()
    few = replace(splits, train=splits.train.take(np.arange(2 * BATCH)))
    report = next(trial(Task(candidate=neutral("tiny", BATCH), epochs=2, seed=0), few, world=world))
    return report.loss, report.accuracy


def _as_worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = first(World(rank=rank, size=2))
    if rank == 0:
        (Path(folder) / "first.json").write_text(json.dumps(found))
    dist.destroy_process_group()


def test_two_workers_train_what_one_does(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_as_worker, args=(str(tmp_path),), nprocs=2)
    alone, together = first(World()), json.loads((tmp_path / "first.json").read_text())
    assert alone[0] == pytest.approx(together[0], rel=1e-5)
    assert alone[1] == pytest.approx(together[1], abs=2 / len(digits.load().validation))
