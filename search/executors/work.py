"""What every executor does for a trial, wherever it runs: load the data once, train from the checkpoint on, stop."""

import ctypes
import math
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Self

import torch

from search.executors.places import checkpoint_places
from spaces.mistake import Mistake
from trainables.assess._score import Weights
from trainables.data.sources import load_source
from trainables.final.jobs import FinalJob, train
from trainables.job import Job, Report
from trainables.pretrained import Sources
from trainables.splits import DataError, Splits
from trainables.training.checkpoint import Checkpoint, CheckpointError
from trainables.training.trial import Task, trial
from trainables.training.world import World
from trainables.weights.sources import WeightsError

MESSAGE = 500
"""Characters that are kept of what an exception says."""

TRACE = 20
"""Lines that are kept of its trace."""

LOST = "its process was lost more often than run.retries allows"
"""Why a training is given up whose code did not fail."""


class PlacementError(Mistake):
    """What is asked for can never run here; the message says what there is."""


class Later(Enum):
    """In place of a job: there is none to hand out before a running one has ended."""

    LATER = "later"


LATER = Later.LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a training failed, though its process lives.

    Attributes:
        message: one sentence.
        trace: the last lines of the trace; None where the message says it all.
        certain: whether the training is to blame. Where not, one of several workers may have met the loss of another.
    """

    message: str
    trace: str | None = None
    certain: bool = True


def give_freed_memory_back() -> None:
    """Let the system have what earlier trainings of this process have freed.

    In a process that Ray Tune reuses every trial is a thread of its own, and glibc keeps the freed memory of each: ten
    fine-tunings of .9 GB had grown to 4.9 GB. Other C libraries have no such call, nor the need.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


BLAMELESS = (CheckpointError, DataError, WeightsError)
"""What ends the run, as the candidate is not to blame: storage, data or pretrained weights cannot be used here."""


def failure_of(error: Exception, workers: int = 1) -> Failure:
    """What went wrong in a training of several workers, or of one.

    Raises:
        Exception: the error itself, if the training is not to blame: ``BLAMELESS``, or an accelerator whose process
            can compute nothing more.
    """
    if isinstance(error, (*BLAMELESS, torch.AcceleratorError)):
        raise error
    if isinstance(error, Mistake):
        return Failure(message=str(error))
    message = " ".join(f"{type(error).__name__}: {error}".split())[:MESSAGE]
    lines = "".join(traceback.format_exception(error)).rstrip().splitlines()
    # A collective operation raises RuntimeError, and a broken connection OSError.
    certain = workers == 1 or not isinstance(error, RuntimeError | OSError)
    return Failure(message=message, trace="\n".join(lines[-TRACE:]), certain=certain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What is to be measured before the first trial.

    Attributes:
        tasks: of the candidates that are taken to need the most memory.
        gpus: whether to find the share of a GPU that a trial needs.
        memory: whether to find the main memory that it needs.
    """

    tasks: tuple[Task, ...]
    gpus: bool
    memory: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What a worker needs to know of the run, beside the trial itself.

    Attributes:
        source: file in ``trainables/data``.
        keywords: of the source's ``load``.
        weights: files of pretrained weights that trainings may begin with.
        folder: the run's folder.
        concurrent: trials at a time; None for as many as there is room for.
        workers: Ray Train workers of a final training.
        workers_per_trial: Ray Train workers of a trial.
        cpus: processor cores and threads of a trial or worker.
        gpus: GPUs of a trial or worker; those of a final training are whole.
        memory: bytes of main memory of a trial or worker; 0 if they are not looked at.
        probe: what of these is still to be measured.
        retries: restarts after a lost process or machine.
        address: of a running Ray cluster; None for a private one.
        checkpoints: folder or fsspec URI of the checkpoints of trials and final trainings; None for the run's folder.
        checkpoint_quota: bytes that the trials' checkpoints may take together; None for no bound.
        verbose: whether Ray may write to the terminal.
        score: what trainings are judged by on search-validation; none for accuracy alone.
    """

    source: str
    keywords: Mapping[str, Any]
    folder: Path
    weights: Sources = field(default_factory=dict)
    concurrent: int | None = None
    workers: int = 1
    workers_per_trial: int = 1
    cpus: int = 1
    gpus: float = 0
    memory: int = 0
    probe: Probe | None = None
    retries: int = 3
    address: str | None = None
    checkpoints: str | None = None
    checkpoint_quota: int | None = None
    verbose: bool = False
    score: Weights = ()

    def splits(self) -> Splits:
        """The data, which a process loads once.

        Raises:
            DataError: they cannot be used.
        """
        return replace(load_source(self.source, self.keywords), weights=self.weights)

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", torch.cuda.current_device()) if self.gpus else torch.device("cpu")

    @property
    def with_whole_gpus(self) -> Self:
        """As final trainings have it, whose batches and teachers trials' shares of a GPU were not measured for."""
        return replace(self, gpus=math.ceil(self.gpus))

    def checkpoint(self, number: int) -> Checkpoint:
        """Where a trial keeps its state while it runs."""
        return Checkpoint(path=f"{self.checkpoint_folder}/trial-{number}.pt", quota=self.checkpoint_quota)

    @property
    def final(self) -> str:
        """Below which final trainings keep theirs."""
        return checkpoint_places(self.checkpoints, self.folder).final

    @property
    def checkpoint_folder(self) -> str:
        """Where the trials' checkpoints are."""
        return checkpoint_places(self.checkpoints, self.folder).trials

    def work(self, job: Job, world: World | None = None) -> Iterator[Report | Failure]:
        """Train a job; yields its reports and, if the trial failed, why as the last item.

        What a worker does with a job is here and nowhere else: the benchmarks put sleep in its place.

        Raises:
            CheckpointError: a checkpoint cannot be written or read, for which the candidate is not to blame.
            DataError: nor is it where the data cannot be read.
        """
        world = world or World()
        torch.set_num_threads(self.cpus)
        give_freed_memory_back()
        task = Task(candidate=job.candidate, epochs=job.epochs, seed=job.seed, score=self.score)
        checkpoint = self.checkpoint(job.number)
        cache = self.folder / "pretraining"  # weights that trials of this run share
        try:
            splits = self.splits()
            if world.rank == 0:
                checkpoint = checkpoint.claimed()
            for report in trial(task, splits, checkpoint=checkpoint, cache=cache, world=world, device=self.device):
                yield report
                if report.epoch >= job.stop:
                    return
        except Exception as error:
            yield failure_of(error, world.size)

    def finish(
        self, job: FinalJob, world: World | None = None, device: torch.device | None = None
    ) -> Iterator[Report | Failure]:
        """Train a final job; yields its reports and, if it failed, why as the last item.

        Args:
            job: whose teachers have been trained.
            world, device: which worker this is, and where it trains.

        Raises:
            CheckpointError, DataError: as ``work``.
        """
        world = world or World()
        torch.set_num_threads(self.cpus)
        try:
            splits = self.splits()
            yield from train(
                job, splits, self.folder, checkpoints=self.checkpoints, world=world, device=device, score=self.score
            )
        except Exception as error:
            yield failure_of(error, world.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a trial: its reports; if it failed, why, and the last lines of the trace of an exception."""

    number: int
    reports: tuple[Report, ...]
    message: str | None = None
    trace: str | None = None
