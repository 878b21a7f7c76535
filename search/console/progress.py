"""What people see while a search runs: a live table below the lines on a terminal, lines alone elsewhere."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent
from typing import NamedTuple, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.console.remaining import Plan, Remaining, Work
from search.family.members import Member
from search.problem.limits import Limits
from search.record.trial import Trial
from search.words import amount, duration, fraction
from spaces.candidate import Candidate
from trainables.final.jobs import FinalJob
from trainables.job import Report
from trainables.stages.pretraining import reports_of_pretraining

SHOWN = 4
"""Trainings that the live display names; those that reported last."""

SILENCE = 60.0
"""Seconds without a line after which an epoch is told where there is no live display."""


class Best(NamedTuple):
    """The most accurate training within a budget: its accuracy on search-validation, macs, and what it was."""

    accuracy: float
    macs: int
    name: str


@dataclass
class Progress:
    """Shows stages, what is being trained, the best within each budget beside its reference, and the time left.

    Attributes:
        budgets: of the family, tightest first.
        console: where to show; a live display if it is a terminal.
        log: file to which every line is added with its time of day, whatever the console shows.
        now: a clock in seconds.
    """

    budgets: Sequence[Limits]
    console: Console
    log: Path | None = None
    now: Callable[[], float] = time.monotonic
    _plan: Plan | None = None
    _repeats_follow: bool = False
    _members_trained: bool = False
    _pretrained: list[float] = field(default_factory=list)
    _made: set[tuple[str, int]] = field(default_factory=set)
    _references: frozenset[str] = frozenset()
    _stage: str = "starting"
    _done: int = 0
    _total: int = 0
    _best: dict[int, Best] = field(default_factory=dict)
    _reference: dict[int, Best] = field(default_factory=dict)
    _training: dict[str, str] = field(default_factory=dict)
    _reached: dict[str, float] = field(default_factory=dict)
    _live: Live | None = None

    def __post_init__(self) -> None:
        self._began = self._said = self.now()
        self._remaining = Remaining(self.now)

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._live = Live(get_renderable=self.render, console=self.console, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def begin(self, plan: Plan, references: Sequence[str], trials: Sequence[Trial]) -> None:
        """What is going to be trained, the names of references, and the trials that were recorded before."""
        self._plan, self._references = plan, frozenset(references)
        for trial in trials:
            if trial.score is not None:
                self._note_pretraining(trial.candidate, trial.epochs)
                pretrained = reports_of_pretraining(trial.candidate, trial.epochs)
                self._remaining.saw(trial.statistics.macs, [one.seconds for one in trial.reports], pretrained)
                self._keep(_name(trial), trial.score, trial.statistics.macs, trial.origin in self._references)

    # stages ----------------------------------------------------------------------------------------------------------

    def stage(self, name: str, total: int = 0, done: int = 0) -> None:
        """A new stage begins, of which ``done`` of ``total`` steps were made before; its trainings are not named."""
        self._enter(name, total, done)

    def search(self, total: int, done: int) -> None:
        """Stage 1 begins."""
        self._repeats_follow = True
        self._remaining.begin(_unnamed(total - done), self._after_trials())
        self._enter("stage 1: training candidates", total, done)

    def repeats(self, total: int, done: int) -> None:
        """Contenders are trained again."""
        self._repeats_follow = False
        given = 0.0 if self._plan is None else self._share * self._plan.search.epochs
        self._remaining.begin(_unnamed(total - done, given), self._after_trials())
        self._enter("training contenders again with fresh seeds", total, done)

    def finals(self, what: str, jobs: Mapping[FinalJob, int]) -> None:
        """Final trainings begin, each with the macs of its network."""
        self._remaining.begin({job.name: self._work(job, macs) for job, macs in jobs.items()}, self._after(list(jobs)))
        self._enter(what, len(jobs), 0)

    def _after(self, jobs: Sequence[FinalJob]) -> list[Work]:
        """What is trained after these final trainings."""
        plan = self._expected
        if plan is None or any(job.teachers or job.epochs != plan.family.epochs for job in jobs):
            return []
        paused = [job.last_epoch for job in jobs if job.last_epoch < job.epochs]
        if paused:
            return plan.finals(after=max(paused))
        nothing_follows, self._members_trained = self._members_trained, True  # as after trials that were better
        return [] if nothing_follows else plan.teaching

    def _after_trials(self) -> list[Work]:
        """What is trained after the trials of a stage."""
        plan = self._expected
        return [] if plan is None else [*(plan.repeats if self._repeats_follow else ()), *plan.finals()]

    @property
    def _expected(self) -> Plan | None:
        """What is going to be trained: the networks that are best by now, one for all budgets that it is best in."""
        if self._plan is None or len(self._best) < len(self.budgets):
            return self._plan
        best = {one.name: float(one.macs) for one in self._best.values()}
        return replace(self._plan, budgets=list(best.values()), pretrained=self._share)

    @property
    def _share(self) -> float:
        """Of a training that is pretraining, in the trials so far."""
        return sum(self._pretrained) / max(len(self._pretrained), 1)

    def _note_pretraining(self, candidate: Candidate, epochs: int) -> None:
        """That a candidate's pretraining is made, from which other trainings of it begin."""
        self._pretrained.append(reports_of_pretraining(candidate, epochs) / epochs)
        self._made.add((candidate.key, epochs))

    def _work(self, job: FinalJob, macs: float) -> Work:
        """A final training, which begins from a pretraining that was made."""
        return self._begun(job.candidate, macs, job.epochs, job.last_epoch)

    def _begun(self, candidate: Candidate, macs: float, epochs: int, last: int) -> Work:
        """A training up to its epoch ``last``, which begins from a pretraining if an earlier training has made it."""
        pretrained = float(reports_of_pretraining(candidate, epochs))
        return Work(macs, last, pretrained if (candidate.key, epochs) in self._made else 0.0, pretrained)

    def _enter(self, name: str, total: int, done: int) -> None:
        self._stage, self._total, self._done, self._training = name, total, done, {}
        self.say(name + (f": {done} of {total} done before" if done else f": {total}" if total else ""))

    # lines -----------------------------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """One line, with the time since the start."""
        self.note(line)
        self._show(line)

    def _show(self, line: str) -> None:
        self._said = self.now()
        elapsed = f"{duration(self._said - self._began):>7}"
        if self._live is None:
            self.console.print(f"{elapsed}  {line}", highlight=False, soft_wrap=True, markup=False)
        else:
            row = Table.grid(padding=(0, 2, 0, 0))
            row.add_row(Text(elapsed, style="dim"), Text(line))
            self.console.print(row)

    def note(self, line: str) -> None:
        """One line for the log alone."""
        self._write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {line}")

    def _write(self, text: str) -> None:
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{text}\n")

    # trainings -------------------------------------------------------------------------------------------------------

    def reported(self, trial: Trial, report: Report) -> None:
        """An epoch of a trial has ended."""
        name = _name(trial)
        work = self._begun(trial.candidate, trial.statistics.macs, trial.epochs, trial.stop)
        self._epoch(name, name, work, trial.stop, report)

    def ended(self, trial: Trial) -> None:
        """A trial has ended."""
        name = _name(trial)
        self._end(name)
        macs = amount(trial.statistics.macs)
        origin = "" if trial.origin is None else f" ({trial.origin})"
        if trial.message is not None:
            self._say_failure(f"{name} failed ({macs} macs{origin}): {trial.message}", trial.trace)
            return
        last, pretrained = trial.reports[-1], reports_of_pretraining(trial.candidate, trial.epochs)
        if _is_score(last, pretrained):
            self._keep(name, last.accuracy, trial.statistics.macs, trial.origin in self._references)
        self._note_pretraining(trial.candidate, trial.epochs)
        self._remaining.expect(self._after_trials())
        of = f"{self._done} of {self._total}"
        self.say(
            f"{of}: {name}, {_accuracy(last, pretrained)} after {last.epoch} epochs, {macs} macs{origin}"
            f"{self._left_of_a_pipe()}"
        )

    def trained(self, name: str, job: FinalJob, macs: int, report: Report, *, reference: bool = False) -> None:
        """An epoch of a final training, which people call ``name``, has ended."""
        work = self._work(job, macs)
        self._epoch(job.name, name, work, job.epochs, report)
        if report.epoch < job.last_epoch:
            return
        self._end(job.name)
        if report.epoch == job.epochs:
            self._keep(name, report.accuracy, macs, reference)
        self.say(
            f"{self._done} of {self._total}: {name}, {_accuracy(report, work.pretrained)} after {report.epoch} of "
            f"{job.epochs} epochs{self._left_of_a_pipe()}"
        )

    def failed(self, job: FinalJob, sentence: str, trace: str | None) -> None:
        """A final training has failed; the trace goes to the log alone."""
        self._end(job.name)
        self._say_failure(sentence, trace)

    def _epoch(self, key: str, name: str, work: Work, epochs: int, report: Report) -> None:
        self._remaining.reported(key, work, report.epoch, report.seconds)
        reached = _accuracy(report, work.pretrained)
        if _is_score(report, work.pretrained):
            self._reached[key] = max(report.accuracy, self._reached.get(key, 0.0))
            reached = f"best {fraction(self._reached[key])}"
        self._training.pop(key, None)  # the last one that reported is shown last
        self._training[key] = f"{name}: epoch {report.epoch} of {epochs}, {reached}"
        if self._live is None and self.now() - self._said >= SILENCE:
            self._show(f"{self._training[key]}{self._left_of_a_pipe()}")

    def _end(self, key: str) -> None:
        self._done += 1
        self._training.pop(key, None)
        self._reached.pop(key, None)
        self._remaining.ended(key)

    def _keep(self, name: str, accuracy: float, macs: int, reference: bool) -> None:
        """The best within each budget; a reference that nothing beats is the best, too."""
        one = Best(accuracy, macs, name)
        for position, budget in enumerate(self.budgets):
            if macs <= (budget.max_macs or float("inf")):
                for best in (self._best, self._reference) if reference else (self._best,):
                    if position not in best or accuracy > best[position].accuracy:
                        best[position] = one

    def _say_failure(self, sentence: str, trace: str | None) -> None:
        self.say(sentence)
        if trace is not None:
            self._write(indent(trace, "    "))

    def exported(self, member: Member) -> None:
        """A member has been handed over."""
        test = "" if member.test_accuracy is None else f", {fraction(member.test_accuracy)} on test"
        self.say(
            f"{member.name}: {amount(member.macs)} macs, {fraction(member.search_accuracy)} on search-validation{test}"
        )

    # the live display ------------------------------------------------------------------------------------------------

    def _left_of_a_pipe(self) -> str:
        """Where there is no live display, each line says how long the rest takes."""
        return self._left() if self._live is None else ""

    def _left(self) -> str:
        seconds = self._remaining.seconds()
        return "" if not seconds else f", about {duration(seconds)} of training left"

    def render(self) -> Group:
        """The stage, what is being trained, and the best so far."""
        head = Text(self._stage, style="bold", overflow="ellipsis", no_wrap=True)
        steps = f"{self._done} of {self._total}, " if self._total else ""
        times = Text(f"{steps}{duration(self.now() - self._began)} so far{self._left()}", style="dim")
        hidden = len(self._training) - SHOWN
        lines = [Text(line, overflow="ellipsis", no_wrap=True) for line in list(self._training.values())[-SHOWN:]]
        more = [Text(f"and {hidden} more", style="dim")] if hidden > 0 else []
        return Group(head, times, *more, *lines, *([self._table()] if self._best else []))

    def _table(self) -> Table:
        table = Table("budget", "best so far", "macs", "reference", "from", box=None, pad_edge=False)
        for position, budget in enumerate(self.budgets):
            best, reference = self._best.get(position), self._reference.get(position)
            table.add_row(
                amount(budget.max_macs or float("inf")),
                "" if best is None else fraction(best.accuracy),
                "" if best is None else amount(best.macs),
                "" if reference is None else fraction(reference.accuracy),
                Text("" if best is None else best.name, overflow="ellipsis", no_wrap=True),
            )
        return table


def _name(trial: Trial) -> str:
    return f"trial {trial.number}"


def _unnamed(count: int, given: float = 0.0) -> dict[str, Work]:
    return {f"waiting {position}": Work(None, None, given, None) for position in range(count)}


def _is_score(report: Report, pretrained: float | None) -> bool:
    """Whether a report is of the network, and not of the pretraining that its first epochs are."""
    return report.epoch > (pretrained or 0.0)


def _accuracy(report: Report, pretrained: float | None) -> str:
    """Of the network, or while it is pretrained of the nearest class mean of its features."""
    return fraction(report.accuracy) + ("" if _is_score(report, pretrained) else " by its features")
