"""Final training of a family, one member after the other; the first may teach those that follow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from spaces.candidate import Candidate
from trainables.checkpoint import Checkpoint
from trainables.splits import Splits
from trainables.trial import Report, Task, trained, trial
from trainables.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalJob:
    """One final training.

    Attributes:
        name: of its checkpoint.
        candidate: architecture and recipe.
        epochs: length of the schedule, all of which are trained.
        seed: of the training.
        teacher: the final training whose network teaches this one, or None for labels alone.
        distillation_weight: weight of the divergence from the teacher.
        label_weight: weight of the cross-entropy with the labels.
        temperature: of the distillation.
    """

    name: str
    candidate: Candidate
    epochs: int
    seed: int
    teacher: "FinalJob | None" = None
    distillation_weight: float = 0.8
    label_weight: float = 0.2
    temperature: float = 1.0


def checkpoint_of(job: FinalJob, folder: Path) -> Checkpoint:
    """Where a final training keeps its state."""
    return Checkpoint(path=folder / "final" / f"{job.name}.pt")


def network_of(job: FinalJob, splits: Splits, folder: Path) -> torch.nn.Module:
    """The trained network of a finished final training, in evaluation mode."""
    plain = Task(candidate=job.candidate, epochs=job.epochs, seed=job.seed)
    return trained(plain, splits, checkpoint_of(job, folder))


def train_family(
    jobs: Sequence[FinalJob],
    splits: Splits,
    folder: Path,
    *,
    world: World | None = None,
    device: torch.device | None = None,
) -> Iterator[tuple[str, Report]]:
    """Train each job from its checkpoint on; yields the job's name with each report, also those of earlier attempts.

    A teacher must stand before its pupils.
    """
    for job in jobs:
        task = Task(candidate=job.candidate, epochs=job.epochs, seed=job.seed)
        if job.teacher is not None:
            teacher = network_of(job.teacher, splits, folder).to(device or torch.device("cpu"))
            knobs = {
                "teacher": teacher.requires_grad_(False),
                "distillation_weight": job.distillation_weight,
                "label_weight": job.label_weight,
                "temperature": job.temperature,
            }
            task = Task(
                candidate=job.candidate, epochs=job.epochs, seed=job.seed, objective="distillation", knobs=knobs
            )
        for report in trial(task, splits, checkpoint=checkpoint_of(job, folder), world=world, device=device):
            yield job.name, report
