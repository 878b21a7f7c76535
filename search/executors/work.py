"""What every executor does for a trial, wherever it runs: load the data once, train from the checkpoint on, stop."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from spaces.candidate import Candidate
from spaces.mistake import Mistake
from trainables.data.sources import load_source
from trainables.final.jobs import FinalJob
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Report, Task, TrialFailed, trial
from trainables.training.world import World


class PlacementError(Mistake):
    """What is asked for can never run here; the message says what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A trial to run.

    Attributes:
        number: of the trial in the study.
        candidate: what to train.
        epochs: length of the schedule.
        stop: epoch after which to stop, at most ``epochs``.
        seed: of the training.
    """

    number: int
    candidate: Candidate
    epochs: int
    stop: int
    seed: int


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
    """

    source: str
    keywords: Mapping[str, Any]
    folder: Path
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

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", torch.cuda.current_device()) if self.gpus else torch.device("cpu")

    def checkpoint(self, number: int) -> Checkpoint:
        """Where a trial keeps its state while it runs."""
        return Checkpoint(path=f"{self.checkpoint_folder}/trial-{number}.pt", quota=self.checkpoint_quota)

    @property
    def final(self) -> str:
        """Below which final trainings keep theirs."""
        return self.checkpoints or str(self.folder)

    @property
    def checkpoint_folder(self) -> str:
        """Where the trials' checkpoints are."""
        return (self.checkpoints or str(self.folder / "checkpoints")).rstrip("/")

    def work(self, job: Job, world: World | None = None) -> Iterator[Report | str]:
        """Train a job; yields its reports and, if the trial failed, the message as the last item.

        What a worker does with a job is here and nowhere else: the benchmarks put sleep in its place.

        Raises:
            CheckpointError: a checkpoint cannot be written or read, for which the candidate is not to blame.
        """
        world = world or World()
        torch.set_num_threads(self.cpus)
        splits = load_source(self.source, self.keywords)
        task = Task(candidate=job.candidate, epochs=job.epochs, seed=job.seed)
        checkpoint = self.checkpoint(job.number)
        if world.rank == 0:
            checkpoint = checkpoint.claimed()
        try:
            cache = self.folder / "pretraining"  # weights that trials of this run share
            for report in trial(task, splits, checkpoint=checkpoint, cache=cache, world=world, device=self.device):
                yield report
                if report.epoch >= job.stop:
                    return
        except TrialFailed as error:
            yield str(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a trial: its reports, and why it failed, if it did."""

    number: int
    reports: tuple[Report, ...]
    message: str | None = None


class Executor(Protocol):
    """Where trials and final trainings run. Constructed with a ``Workplace``; used as a context."""

    place: Workplace
    """What it was constructed with; once entered, with what was measured."""

    def __enter__(self) -> "Executor": ...
    def __exit__(self, *exception: object) -> None: ...

    def run(
        self,
        next_job: Callable[[], Job | None],
        on_report: Callable[[int, Report], bool],
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        """Run jobs as places become free, until there is none to start and none runs.

        A trial ends after its ``stop`` epochs, or with the report that ``on_report`` answers with False.
        """

    def train(self, jobs: Sequence[FinalJob], on_report: Callable[[str, Report], None]) -> None:
        """Run the final trainings, teachers first."""
