"""Trainings of one candidate on nested shares of the data, by the run's executor; what was measured is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from search.errors import UsageError
from search.ladder.training import FEWEST, folder_of, jobs_of, keep, listed, measured, place_of, read_kept
from search.setting.setting import Setting
from spaces.candidate import Candidate
from trainables.data.sources import SHARE
from trainables.final.jobs import FinalJob

FILE = "ladder.csv"
COLUMNS = ("candidate", "epochs", "share", "images", "seed", "validation", "test", "judged")
"""Of the table: a training a row, ``judged`` the number of test images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What is to be measured.

    Attributes:
        candidate: that is trained.
        shares: of the training images, rising.
        seeds: trainings of each.
        epochs: of each, with as many steps whatever the share.
    """

    candidate: Candidate
    shares: tuple[float, ...]
    seeds: int
    epochs: int


def shares_of(text: str) -> tuple[float, ...]:
    """Shares as one writes them on a command line.

    Raises:
        UsageError: fewer than four different ones, or one that is no share of the data.
    """
    try:
        shares = tuple(sorted(float(word) for word in text.split(",")))
    except ValueError:
        shares = ()
    if len(set(shares)) < max(FEWEST, len(shares)) or not all(0 < share <= 1 for share in shares):
        raise UsageError(
            f"--shares are {FEWEST} or more different shares of the training images, above 0 and at most 1, such as "
            f"0.125,0.25,0.5,1; given '{text}'"
        )
    return shares


def measure(setting: Setting, ladder: Ladder, say: Callable[[str], None]) -> pd.DataFrame:
    """Train what has not been trained before; the trainings of the ladder, the smallest share first.

    Args:
        setting: of a finished run, in whose folder below ``ladder`` everything is kept.
        ladder: what is trained.
        say: called with a line after each share.

    Raises:
        UsageError: a training failed.
        DataError: a share leaves a class without an image.
    """
    folder = folder_of(setting)
    for share in ladder.shares:
        place_of(setting, share).splits()  # whatever is wrong with a share is said before the first training
    for share in ladder.shares:
        known = read_ladder(folder)
        jobs = [
            job
            for seed, job in jobs_of(setting, ladder.candidate, seeds=ladder.seeds, epochs=ladder.epochs, share=share)
            if not _is_known(known, ladder, share, seed)
        ]
        if jobs:
            rows = _trained(setting, jobs, ladder, share)
            keep(folder / FILE, known, rows)
        own = rungs(read_ladder(folder), ladder).query("share == @share")
        say(f"share {share:g}, {int(own['images'].iloc[0]):,} images: {listed(own['test'].tolist())} on test")
    return rungs(read_ladder(folder), ladder)


def read_ladder(folder: Path) -> pd.DataFrame:
    """All trainings that a folder has kept."""
    return read_kept(folder / FILE, COLUMNS)


def rungs(table: pd.DataFrame, ladder: Ladder) -> pd.DataFrame:
    """The trainings of one ladder among those of a table, the smallest share first."""
    same = (table["candidate"] == ladder.candidate.key) & (table["epochs"] == ladder.epochs)
    own = table[same & table["share"].isin(ladder.shares) & (table["seed"] < ladder.seeds)]
    return own.sort_values(["share", "seed"], ignore_index=True)


def _is_known(known: pd.DataFrame, ladder: Ladder, share: float, seed: int) -> bool:
    own = rungs(known, ladder)
    return bool(((own["share"] == share) & (own["seed"] == seed)).any())


def _trained(setting: Setting, jobs: Sequence[FinalJob], ladder: Ladder, share: float) -> list[dict[str, object]]:
    place = place_of(setting, share)
    images = max(1, round(place.keywords[SHARE] * len(place.splits().train)))
    return [
        {
            "candidate": ladder.candidate.key,
            "epochs": ladder.epochs,
            "share": share,
            "images": images,
            "seed": int(job.name.rpartition("-")[2]),
            **row,
        }
        for job, row in zip(jobs, measured(place, setting.config.run.executor, jobs), strict=True)
    ]
