"""Trials that sleep instead of training, and what they cost beyond their sleep."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from search.executors.work import Failure, Outcome, Workplace
from tests.processes import children
from trainables.job import Job, Report
from trainables.training.world import World

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleepers(Workplace):
    """A workplace whose trials sleep for ``seconds`` in all."""

    seconds: float = 0.0

    def work(self, job: Job, world: World | None = None) -> Iterator[Report | Failure]:
        began = self._began(os.getpid())
        if not began.exists():
            began.parent.mkdir(parents=True, exist_ok=True)
            began.touch()
        for epoch in range(1, job.stop + 1):
            time.sleep(self.seconds / job.stop)
            yield Report(epoch=epoch, accuracy=accuracy(job.number, epoch), loss=1.0, seconds=self.seconds)

    def _began(self, process: int | str) -> Path:
        return self.folder / f"began-{process}"

    def first_trials(self) -> list[float]:
        """When each process began its first trial, in the seconds of ``time.monotonic``."""
        apart = time.time() - time.monotonic()
        return sorted(path.stat().st_mtime - apart for path in self.folder.glob(self._began("*").name))


def sleepers(folder: Path, seconds: float, **changes: Any) -> Sleepers:
    return Sleepers(source="digits", keywords={}, folder=folder, seconds=seconds, **changes)


def accuracy(number: int, epoch: int) -> float:
    """Something that differs between trials and grows with the epochs."""
    return float(np.random.default_rng(number).uniform(0.2, 0.8)) * (1 - 0.5**epoch)


@dataclass
class Ends:
    """When trials ended, as an executor's listener and as a log for other runners."""

    at: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def report(self, number: int, report: Report) -> bool:
        return True

    def outcome(self, outcome: Outcome) -> None:
        assert outcome.message is None, outcome.message
        self.note()

    def note(self) -> None:
        self.at.append(time.monotonic())
        self.processor.append(processor_seconds())

    def per_trial(self, cold: int) -> tuple[float, float]:
        """Mean wall and processor seconds of the trials after the first ``cold``."""
        warm = len(self.at) - cold
        return (self.at[-1] - self.at[cold - 1]) / warm, (self.processor[-1] - self.processor[cold - 1]) / warm


def processor_seconds(of: int | None = None) -> float:
    """User and system time of this process, or of another, and of all its descendants, ended ones included."""
    root = os.getpid() if of is None else of
    total = 0.0
    for number in (root, *(pid for pid, _ in children(root))):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / TICKS
    return total


def private_bytes(of: int) -> int:
    """Memory of a process that it shares with no other."""
    lines = Path(f"/proc/{of}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def middle(values: Sequence[float], unit: str = "s") -> str:
    """Median and range."""
    return f"{np.median(values):.3f} {unit} ({min(values):.3f} to {max(values):.3f})"
