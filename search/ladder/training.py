"""Trainings of ladders, by the run's executor, in a folder of their own below the run's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from search.errors import UsageError
from search.executors.work import Failure, Workplace
from search.files import write_text
from search.finals.jobs import on_labels
from search.setting.setting import Setting
from spaces import components
from spaces.candidate import Candidate
from trainables.data.sources import SHARE
from trainables.final.jobs import FinalJob, network_of
from trainables.job import Report
from trainables.training.features import accuracy

FOLDER = "ladder"
FEWEST = 4
"""Rungs of a ladder: three that a law is fitted to, and the largest, which it predicts."""


def folder_of(setting: Setting) -> Path:
    """Where the ladders of a run are kept; made where it is not there."""
    folder = setting.config.folder.resolve() / FOLDER
    folder.mkdir(exist_ok=True)
    return folder


def place_of(setting: Setting, share: float) -> Workplace:
    """Where a share of the run's training images is trained on.

    Args:
        setting: of the run.
        share: of these images, in (0, 1].
    """
    place = setting.place
    checkpoints = None if place.checkpoints is None else f"{place.checkpoints}/{FOLDER}"
    keywords = {**place.keywords, SHARE: share * place.keywords.get(SHARE, 1.0)}  # of the images of the run
    return replace(place, folder=folder_of(setting), checkpoints=checkpoints, keywords=keywords, score=())


def jobs_of(
    setting: Setting, candidate: Candidate, *, seeds: int, epochs: int, share: float
) -> Iterator[tuple[int, FinalJob]]:
    """Seed numbers and trainings of a candidate; the same ones in every ladder that has it at this share."""
    family = setting.config.family.model_copy(update={"seeds": seeds, "epochs": epochs})
    for seed, job in enumerate(on_labels(family, setting.config.seed, candidate)):
        yield seed, replace(job, name=f"{candidate.key}-{epochs}-{share:g}-{seed}")


def measured(place: Workplace, executor: str, jobs: Sequence[FinalJob]) -> list[dict[str, object]]:
    """Train; of each job ``validation`` and ``test`` accuracy, and ``judged``, the number of test images.

    Raises:
        UsageError: a training failed.
    """
    reached: dict[str, Report] = {}

    def failed(name: str, failure: Failure) -> None:
        raise UsageError(f"training {name} of the ladder failed: {failure.message}")

    with components.load(components.EXECUTORS, executor).Executor(place) as running:
        running.train(jobs, reached.__setitem__, failed)
    splits = place.splits()
    return [
        {
            "validation": reached[job.name].accuracy,
            "test": accuracy(network_of(job, splits, place.final), splits.test),
            "judged": len(splits.test),
        }
        for job in jobs
    ]


def read_kept(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """All trainings that a file keeps, a row each; none where there is no file yet."""
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=list(columns))


def keep(path: Path, known: pd.DataFrame, rows: Sequence[Mapping[str, object]]) -> None:
    """Write what a file keeps with further trainings behind it."""
    write_text(path, pd.concat([known, pd.DataFrame(rows)], ignore_index=True).to_csv(index=False))


def listed(accuracies: Sequence[float]) -> str:
    """Accuracies for people."""
    return ", ".join(f"{one:.4f}" for one in accuracies)
