"""How long the rest of a run takes: the trainings that are left, at the speed of those that were seen."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from search.finals.train import rungs
from search.setting.sections.family import FamilySection
from search.setting.sections.search import SearchSection

TAUGHT = 0.5
"""Share of the networks that is expected to be taught, which is known only once all have been trained."""


class Work(NamedTuple):
    """A training that is to be done, or part of one; what is None is that of the trials so far.

    The first ``pretrained`` epochs are pretraining, which has a speed of its own. The first ``given`` ones were made by
    an earlier training, and take no time.
    """

    macs: float | None
    epochs: float | None
    given: float = 0.0
    pretrained: float | None = 0.0


class Spent(NamedTuple):
    """Epochs of one kind that a training has made, and their seconds."""

    epochs: float = 0.0
    seconds: float = 0.0

    def with_epoch(self, seconds: float) -> "Spent":
        """After one more epoch that took so many seconds."""
        return Spent(self.epochs + 1, self.seconds + seconds)


NOTHING = Spent()


class Seen(NamedTuple):
    """A training as far as it was seen: its macs, its epochs, those of pretraining among them, and what it spent."""

    macs: float
    epochs: float
    pretrained: float
    pretraining: Spent
    training: Spent


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is going to train, as far as its configuration says.

    Attributes:
        search: stage 1.
        family: final trainings.
        budgets: macs of each, tightest first, or of the different networks that are expected to fill them.
        references: macs of those that are trained beside the family.
        pretrained: share of a training that is pretraining.
    """

    search: SearchSection
    family: FamilySection
    budgets: Sequence[float]
    references: Sequence[float]
    pretrained: float = 0.0

    @property
    def repeats(self) -> list[Work]:
        """Contenders with fresh seeds, which begin from the pretraining of their trials."""
        count, given = self.family.contenders * self.family.repeats, self.pretrained * self.search.epochs
        return [Work(macs, None, given, given) for macs in self.budgets for _ in range(count)]

    @property
    def _again(self) -> float:
        """Epochs of a final training that an earlier one of the network has made."""
        return self.pretrained * self.family.epochs

    def finals(self, after: float = 0) -> list[Work]:
        """Final trainings of which the first ``after`` epochs are done, or none of them."""
        given = self._again if self.family.epochs == self.search.epochs else 0.0  # else trials were pretrained less
        after = max(after, given)
        epochs = max(0.0, self.family.epochs - after) + (self.family.seeds - 1) * (self.family.epochs - self._again)
        first = max(0.0, self._again - after)  # epochs of pretraining that are left
        heats = [
            Work(macs, count, 0.0, 0.0 if number else (self.family.finalists - 1) * first)
            for macs in self.budgets
            for number, count in enumerate(self._heats(after))
        ]
        members = [Work(macs, epochs, 0.0, first) for macs in self.budgets]
        references = [Work(macs, self.family.seeds * self.family.epochs) for macs in self.references]
        return [*heats, *members, *references, *self.teaching]

    def _heats(self, after: float) -> list[float]:
        """Epochs of a budget's candidates beyond those of the one that is trained to its end."""
        left, done, epochs = self.family.finalists, 0.0, list[float]()
        for rung in rungs(left, self.family.epochs, self._again):
            if rung > after:
                epochs.append((left - 1) * (rung - max(done, after)))
            left, done = math.ceil(left / 2), rung
        return epochs

    @property
    def teaching(self) -> list[Work]:
        """Of the networks that are expected to be taught."""
        share = TAUGHT if self.family.teachers else 0.0
        epochs = self.family.seeds * (self.family.epochs - self._again)
        return [Work(macs, share * epochs) for macs in self.budgets]


@dataclass
class _Training:
    work: Work
    epoch: int = 0
    seconds: float = 0.0
    pretraining: Spent = NOTHING
    training: Spent = NOTHING

    def seen(self, ended: bool = False) -> Seen:
        """With the epochs that it made, or, as long as it goes on, those that it is going to make."""
        epochs = self.epoch if ended or self.work.epochs is None else self.work.epochs
        pretrained = min(self.work.pretrained or 0.0, epochs)
        return Seen(self.work.macs or 0.0, epochs, pretrained, self.pretraining, self.training)


@dataclass
class Remaining:
    """Learns from every epoch how fast trainings are and how many go on at a time.

    Attributes:
        now: a clock in seconds.
    """

    now: Callable[[], float] = time.monotonic
    _seen: list[Seen] = field(default_factory=list)
    _waiting: dict[str, Work] = field(default_factory=dict)
    _open: dict[str, _Training] = field(default_factory=dict)
    _ahead: list[Work] = field(default_factory=list)
    _trained: float = 0.0
    _began: float | None = None
    _last: float = 0.0
    _before: float = 0.0
    _most: int = 0

    def begin(self, waiting: Mapping[str, Work], ahead: Sequence[Work] = ()) -> None:
        """A stage begins: its trainings by name, and those of later stages."""
        self._waiting, self._ahead, self._open = dict(waiting), list(ahead), {}
        if self._began is not None:  # what lies between stages, such as an evolution, makes no training slower
            self._before += self._last - self._began
            self._began = None

    def expect(self, ahead: Sequence[Work]) -> None:
        """Trainings of later stages, as is known by now."""
        self._ahead = list(ahead)

    def saw(self, macs: float, ends: Sequence[float], pretrained: int = 0) -> None:
        """A whole earlier training: seconds after which its epochs ended, of which the first were pretraining."""
        first = min(pretrained, len(ends))
        before, whole = (0.0 if not count else ends[count - 1] for count in (first, len(ends)))
        self._keep(Seen(macs, len(ends), first, Spent(first, before), Spent(len(ends) - first, whole - before)))

    def _keep(self, seen: Seen) -> None:
        if seen.pretraining.seconds > 0 or seen.training.seconds > 0:
            self._seen.append(seen)

    def reported(self, name: str, work: Work, epoch: int, seconds: float) -> None:
        """An epoch of a training has ended, whose ``seconds`` count from its beginning."""
        if name not in self._open:
            if self._waiting.pop(name, None) is None and self._waiting:
                self._waiting.popitem()  # numbers of trials are not known before they begin
            done = seconds * (epoch - 1) / epoch  # by an earlier attempt, if it is not the first epoch
            self._open[name] = _Training(work, epoch - 1, done)
        training = self._open[name]
        spent = max(0.0, seconds - training.seconds) if epoch > work.given else 0.0
        if self._began is None:
            self._began = self.now() - spent
        self._trained += spent
        self._last = self.now()
        self._most = max(self._most, len(self._open))
        if work.given < epoch <= (work.pretrained or 0.0):
            training.pretraining = training.pretraining.with_epoch(spent)
        elif epoch > work.given:
            training.training = training.training.with_epoch(spent)
        training.epoch, training.seconds = epoch, seconds

    def ended(self, name: str) -> None:
        """A training has ended, or failed."""
        training = self._open.pop(name, None)
        if training is None:
            self._waiting.pop(name, None)
        else:
            self._keep(training.seen(ended=True))

    def seconds(self) -> float | None:
        """Until the end of the last training of the run; None as long as nothing is known of its speed."""
        seen = self._seen or [one.seen() for one in self._open.values()]
        pretraining = _rate([(one.macs, one.pretraining) for one in seen])
        training = _rate([(one.macs, one.training) for one in seen])
        of_pretraining, of_training = pretraining or training, training or pretraining
        if of_pretraining is None or of_training is None or not self._trained:
            return None
        usual = np.mean([(one.macs, one.epochs, one.pretrained) for one in seen[-32:]], axis=0).tolist()
        rest = [one.work._replace(given=max(one.work.given, float(one.epoch))) for one in self._open.values()]
        total = 0.0
        for work in (*rest, *self._waiting.values(), *self._ahead):
            macs, epochs, pretrained = _filled(work, *usual)
            total += of_pretraining(macs) * max(0.0, min(pretrained, epochs) - work.given)
            total += of_training(macs) * max(0.0, epochs - max(work.given, pretrained))
        elapsed = self._before + (0.0 if self._began is None else self.now() - self._began)
        at_once = min(self._trained / max(elapsed, 1e-9), float(self._most))
        return total / at_once


def _filled(work: Work, macs: float, epochs: float, pretrained: float) -> tuple[float, float, float]:
    """Macs, epochs and pretrained ones of a work; where it does not say, those given, and their share."""
    share = pretrained / epochs
    epochs = epochs if work.epochs is None else work.epochs
    pretrained = epochs * share if work.pretrained is None else work.pretrained
    return macs if work.macs is None else work.macs, epochs, pretrained


def _rate(made: Sequence[tuple[float, Spent]]) -> Callable[[float], float] | None:
    """Seconds of an epoch by macs, from the macs of trainings and what was spent; None where nothing was."""
    rows = [(macs, epochs, seconds) for macs, (epochs, seconds) in made if epochs and seconds > 0]
    if not rows:
        return None
    macs_N, epochs_N, seconds_N = np.array(rows, dtype=float).T
    (fixed, each), _ = nnls(np.stack([np.ones_like(macs_N), macs_N], axis=1), seconds_N / epochs_N)
    return lambda macs: float(fixed + each * macs)
