"""What people see while a search runs: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.family.members import Member
from search.problem.limits import Limits
from search.record.trial import Trial
from search.words import amount, duration
from trainables.final.jobs import FinalJob
from trainables.training.trial import Report


@dataclass
class Progress:
    """Shows stages, trials and the best accuracy within each budget.

    Attributes:
        budgets: of the family, tightest first.
        console: where to show; a live display if it is a terminal.
        log: file to which every line is added with its time of day, whatever the console shows.
    """

    budgets: Sequence[Limits]
    console: Console
    log: Path | None = None
    _stage: str = "starting"
    _done: int = 0
    _total: int = 0
    _began: float = field(default_factory=time.monotonic)
    _stage_began: float = field(default_factory=time.monotonic)
    _counted_from: int = 0
    _best: dict[int, Trial] = field(default_factory=dict)
    _last: str = ""
    _live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._render, console=self.console, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def stage(self, name: str, total: int = 0, done: int = 0) -> None:
        """A new stage begins, of which ``done`` of ``total`` steps were made before."""
        self._stage, self._total, self._done, self._counted_from = name, total, done, done
        self._stage_began = time.monotonic()
        self.say(f"{name}" + (f": {done} of {total} done before" if done else ""))

    def say(self, line: str) -> None:
        """One line, with the time since the start."""
        self._last = line
        self.note(line)
        if self._live is None:
            self.console.print(
                f"{duration(time.monotonic() - self._began):>7}  {line}", highlight=False, soft_wrap=True
            )

    def note(self, line: str) -> None:
        """One line for the log alone."""
        self._write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {line}")

    def _write(self, text: str) -> None:
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{text}\n")

    def reported(self, trial: Trial, report: Report) -> None:
        """An epoch of a trial has ended."""
        self._last = f"trial {trial.number} epoch {report.epoch} of {trial.stop}: {report.accuracy:.3f}"

    def ended(self, trial: Trial) -> None:
        """A trial has ended."""
        self._done += 1
        macs = amount(trial.statistics.macs)
        origin = "" if trial.origin is None else f" ({trial.origin})"
        if trial.message is not None:
            self._say_failure(f"trial {trial.number} failed ({macs} macs{origin}): {trial.message}", trial.trace)
            return
        accuracy = trial.reports[-1].accuracy
        for position, budget in enumerate(self.budgets):
            best = self._best.get(position)
            fits = trial.statistics.macs <= (budget.max_macs or float("inf"))
            if fits and (best is None or accuracy > best.reports[-1].accuracy):
                self._best[position] = trial
        self.say(
            f"trial {trial.number} ({self._done} of {self._total}): "
            f"{accuracy:.3f} after {len(trial.reports)} epochs, "
            f"{macs} macs{origin}{self._left()}"
        )

    def trained(self, job: FinalJob, macs: int, report: Report) -> None:
        """A final training has come to its last epoch."""
        self.step(f"{job.name}: {report.accuracy:.3f} after {report.epoch} of {job.epochs} epochs, {amount(macs)} macs")

    def failed(self, sentence: str, trace: str | None) -> None:
        """A final training has failed; the trace goes to the log alone."""
        self._done += 1
        self._say_failure(sentence, trace)

    def _say_failure(self, sentence: str, trace: str | None) -> None:
        self.say(sentence)
        if trace is not None:
            self._write(indent(trace, "    "))

    def exported(self, member: Member) -> None:
        """A member has been handed over."""
        self.say(
            f"{member.name}: {amount(member.macs)} macs, {member.search_accuracy:.4f} on search-validation, "
            f"{member.test_accuracy:.4f} on test"
        )

    def step(self, line: str) -> None:
        """One more step of the stage is done."""
        self._done += 1
        self.say(f"{line}{self._left()}")

    def _left(self) -> str:
        steps = self._done - self._counted_from
        if steps < 1 or self._done >= self._total:
            return ""
        seconds = (time.monotonic() - self._stage_began) / steps * (self._total - self._done)
        return f", about {duration(seconds)} left"

    def _render(self) -> Group:
        head = Text.assemble((self._stage, "bold"), f"  {self._done}/{self._total}" if self._total else "")
        head.append(f"  {duration(time.monotonic() - self._began)}{self._left()}", style="dim")
        table = Table("budget (macs)", "best so far", "macs", "trial", box=None, pad_edge=False)
        for position, budget in enumerate(self.budgets):
            best = self._best.get(position)
            row = (
                ("", "", "")
                if best is None
                else (f"{best.reports[-1].accuracy:.3f}", amount(best.statistics.macs), str(best.number))
            )
            table.add_row(amount(budget.max_macs or float("inf")), *row)
        return Group(head, table, Text(self._last, style="dim"))
