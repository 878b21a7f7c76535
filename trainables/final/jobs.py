"""Final trainings: a network trained in full, on labels alone or with teachers."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from spaces.candidate import Candidate
from trainables.assess._score import Weights
from trainables.deploy import Deployable
from trainables.job import Report
from trainables.language.texts import Texts
from trainables.splits import Splits
from trainables.stages.phases import number_of_training
from trainables.stages.precision import Precision
from trainables.teachers.named import Ensemble, load_teacher
from trainables.teachers.stored_targets import StoredTeacher
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial
from trainables.training.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalJob:
    """One final training.

    Attributes:
        name: of its checkpoint.
        candidate: architecture and recipe.
        epochs: length of the schedule.
        seed: of the training.
        stop: epoch after which the training pauses, its state kept; None trains the whole schedule.
        teachers: whose mean class probabilities teach this one: other final trainings, or names that
            ``trainables.teachers.named`` loads; none for labels alone.
        objective: file in ``trainables/objectives`` whose loss compares the network with its teachers.
        distillation_weight: weight of the divergence from the teachers.
        label_weight: weight of the cross-entropy with the labels.
        temperature: of the distillation.
        top_k: class probabilities of the teachers that are kept on disk for each view; None asks them anew each time.
        precision: of the forward passes in training.
    """

    name: str
    candidate: Candidate
    epochs: int
    seed: int
    stop: int | None = None
    teachers: "tuple[FinalJob | str, ...]" = ()
    objective: str = "distillation"
    distillation_weight: float = 0.8
    label_weight: float = 0.2
    temperature: float = 1.0
    top_k: int | None = None
    precision: Precision = "float32"

    @property
    def last_epoch(self) -> int:
        """The epoch with which the job ends."""
        return self.epochs if self.stop is None else min(self.stop, self.epochs)

    @property
    def task(self) -> Task:
        """The training without its teachers."""
        return Task(candidate=self.candidate, epochs=self.epochs, seed=self.seed, precision=self.precision)

    def taught_by(self, teacher: torch.nn.Module) -> Task:
        """The training with its teachers as one network."""
        knobs: dict[str, Any] = {
            "teacher": teacher,
            "distillation_weight": self.distillation_weight,
            "label_weight": self.label_weight,
            "temperature": self.temperature,
        }
        return replace(self.task, objective=self.objective, knobs=knobs)


def checkpoint_of(job: FinalJob, where: Path | str) -> Checkpoint:
    """Where a final training keeps its state, below a folder or an fsspec URI."""
    return Checkpoint(path=f"{where}/final/{job.name}.pt")


def network_of(job: FinalJob, splits: Splits, where: Path | str) -> Deployable:
    """The trained network of a finished final training, in evaluation mode."""
    return trained(job.task, splits, checkpoint_of(job, where))


def keep_network(job: FinalJob, network: torch.nn.Module, report: Report, where: Path | str) -> None:
    """Write a network that was made of others as the result of a job, for ``network_of`` to read."""
    number = number_of_training(job.candidate, job.epochs)
    state = {"phase": number, "states": {}, "evaluated": network.state_dict(), "reports": [asdict(report)]}
    if isinstance(network, Deployable) and isinstance(network.texts, Texts):
        state["texts"] = network.texts.packed()
    checkpoint_of(job, where).save(state)


def teacher_of(job: FinalJob, splits: Splits, where: Path | str, targets: Path) -> torch.nn.Module:
    """The network that teaches a job; an ensemble where there are several teachers.

    Args:
        job: with teachers.
        splits: the data.
        where: folder or URI of the final trainings.
        targets: folder of what teachers answered, where the job keeps that.

    Raises:
        FileNotFoundError: a teacher has not been trained.
        trainables.teachers.named.TeacherError: a teacher from elsewhere cannot be used.
    """
    networks = [
        load_teacher(teacher, splits) if isinstance(teacher, str) else network_of(teacher, splits, where)
        for teacher in job.teachers
    ]
    network: torch.nn.Module = networks[0] if len(networks) == 1 else Ensemble(networks)
    if job.top_k is not None:
        network = StoredTeacher(network, targets, top_k=job.top_k)
    return network.eval().requires_grad_(False)


def train(
    job: FinalJob,
    splits: Splits,
    folder: Path,
    *,
    checkpoints: str | None = None,
    world: World | None = None,
    device: torch.device | None = None,
    score: Weights = (),
) -> Iterator[Report]:
    """Train a job from its checkpoint on; yields its reports, also those of earlier attempts.

    Args:
        job: whose teachers have been trained.
        splits: the data.
        folder: the run's, for what teachers answered and what pretraining gave.
        checkpoints: folder or fsspec URI below which trainings keep their state; the run's folder by default.
        world, device: which worker this is, and where it trains.
        score: what its reports are judged by on search-validation; none for accuracy alone.

    Raises:
        TrialFailed: a loss that is not finite, or not enough memory.
        CheckpointError: a checkpoint cannot be written or read.
    """
    world, where = world or World(), checkpoints or folder
    task, teacher = job.task, None
    if job.teachers:
        teacher = teacher_of(job, splits, where, folder / "targets").to(device or torch.device("cpu"))
        task = job.taught_by(teacher)
    task = replace(task, score=score)
    checkpoint = checkpoint_of(job, where)
    if world.rank == 0 and not _is_done(job, checkpoint):
        checkpoint = checkpoint.claimed()
    cache = folder / "pretraining"  # as trials have it: the trainings of a network begin from the same features
    for report in trial(task, splits, checkpoint=checkpoint, cache=cache, world=world, device=device):
        if isinstance(teacher, StoredTeacher):
            teacher.flush()
        yield report
        if report.epoch >= job.last_epoch:
            return


def _is_done(job: FinalJob, checkpoint: Checkpoint) -> bool:
    state = checkpoint.load()
    return state is not None and len(state["reports"]) >= job.last_epoch
