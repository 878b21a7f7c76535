"""Several workers train what one trains at the same global batch."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from tests.processes import CONTEXT
from tests.trainables.neutral import neutral
from trainables.data import digits
from trainables.training.trial import Task, trial
from trainables.training.world import World

BATCH = 33
"""Of which one worker gets an image more than the other."""
STEPS = 4


def curve(world: World) -> list[tuple[float, float]]:
    """Loss and accuracy of an epoch of some steps.

    In double precision, so that what remains apart is more than rounding: in single precision this network's loss
    after six steps differed by one or three parts in a thousand, after two by one in ten million.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        splits = digits.load()
        few = replace(
            splits,
            train=splits.train.take(np.arange(STEPS * BATCH)),
            validation=splits.validation.take(np.arange(101)),
        )
        task = Task(candidate=neutral("tiny", BATCH), epochs=1, seed=0)
        return [(report.loss, report.accuracy) for report in trial(task, few, world=world)]
    finally:
        torch.set_default_dtype(before)


def _as_worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    own = curve(World(rank=rank, size=2))
    if rank == 0:
        (Path(folder) / "curve.json").write_text(json.dumps(own))
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_workers_train_what_one_does(tmp_path: Path) -> None:
    workers = [CONTEXT.Process(target=_as_worker, args=(rank, str(tmp_path))) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    alone, together = np.array(curve(World())), np.array(json.loads((tmp_path / "curve.json").read_text()))
    np.testing.assert_allclose(together[:, 0], alone[:, 0], rtol=1e-9)
    assert together[:, 1].tolist() == alone[:, 1].tolist()
