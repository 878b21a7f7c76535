"""How much memory the training of a candidate takes, measured by training a little of it."""

import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.batches.fields import fields_of
from trainables.splits import Images, Pictures, Splits
from trainables.stages.pretraining import pretrainings_of
from trainables.training.trial import Task, trial

EVALUATED = 256
"""Images that are evaluated: a batch of ``trainables.training.trial.scores``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Peaks in bytes.

    Attributes:
        memory: resident main memory of this process, with its libraries and the data that it has read.
        device: memory of the GPU, with what the driver keeps for a process; 0 without one.
        device_has: memory of that GPU in all.
    """

    memory: int
    device: int = 0
    device_has: int = 0


def need(task: Task, splits: Splits, device: torch.device) -> Need:
    """Train a task, all its phases, on a few batches; the peaks are those of this process, so it is to be a fresh one.

    Raises:
        TrialFailed: the memory does not suffice for it.
    """
    train_a_little(task, splits, device)
    # Kibibytes, but for macOS.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if device.type == "cpu":
        return Need(memory=memory)
    free, has = torch.cuda.mem_get_info(device)
    beside = max(0, has - free - torch.cuda.memory_reserved(device))
    return Need(memory=memory, device=torch.cuda.max_memory_reserved(device) + beside, device_has=has)


def train_a_little(task: Task, splits: Splits, device: torch.device) -> None:
    """Train a task, all its phases, for an epoch of a batch or two, and evaluate a batch.

    Raises:
        TrialFailed: it cannot be trained.
    """
    stages = pretrainings_of(task.candidate, task.epochs)
    passes = max((stage.passes for stage in stages), default=1.0)
    recipes = [task.candidate.recipe, *(stage.recipe for stage in stages)]
    batch = max(int(recipe.get("batch.size", 64)) for recipe in recipes)
    enough = int(batch * max(1.0, passes)) + 1
    few = replace(
        splits,
        train=_first(splits.train, enough),
        validation=_first(splits.validation, EVALUATED),
        pool=None if splits.pool is None else _Few(pictures=splits.pool, count=enough),
    )
    for _ in trial(replace(task, epochs=len(stages) + 1), few, device=device):
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Few:
    """The first of what there is to pretrain on."""

    pictures: Pictures
    count: int

    def __len__(self) -> int:
        return min(self.count, len(self.pictures))

    @property
    def fields(self) -> Mapping[str, NDArray[Any]]:
        return {name: value_N[: len(self)] for name, value_N in fields_of(self.pictures).items()}

    def batch(self, rows_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        return self.pictures.batch(rows_B)


def _first(images: Images, count: int) -> Images:
    return images.take(np.arange(min(count, len(images))))
