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
    """A training that is to be done, or part of one; macs or epochs of None are those of the trials so far.

    The first ``given`` epochs are a pretraining that an earlier training has made, and take no time.
    """

    macs: float | None
    epochs: float | None
    given: float = 0.0


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
        return [Work(macs, None, given) for macs in self.budgets for _ in range(count)]

    @property
    def _again(self) -> float:
        """Epochs of a final training that an earlier one of the network has made."""
        return self.pretrained * self.family.epochs

    def finals(self, after: float = 0) -> list[Work]:
        """Final trainings of which the first ``after`` epochs are done, or none of them."""
        given = self._again if self.family.epochs == self.search.epochs else 0.0  # else trials were pretrained less
        after = max(after, given)
        epochs = max(0.0, self.family.epochs - after) + (self.family.seeds - 1) * (self.family.epochs - self._again)
        heats = [Work(macs, count) for macs in self.budgets for count in self._heats(after)]
        members = [Work(macs, epochs) for macs in self.budgets]
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


@dataclass
class Remaining:
    """Learns from every epoch how fast trainings are and how many go on at a time.

    Attributes:
        now: a clock in seconds.
    """

    now: Callable[[], float] = time.monotonic
    _speeds: list[tuple[float, float, float]] = field(default_factory=list)  # macs, epochs, seconds
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

    def saw(self, macs: float, epochs: int, seconds: float) -> None:
        """A training, or a whole earlier one, took so many seconds for its epochs."""
        if epochs and seconds > 0:
            self._speeds.append((macs, epochs, seconds))

    def reported(self, name: str, work: Work, epoch: int, seconds: float) -> None:
        """An epoch of a training has ended, whose ``seconds`` count from its beginning."""
        if name not in self._open:
            if self._waiting.pop(name, None) is None and self._waiting:
                self._waiting.popitem()  # numbers of trials are not known before they begin
            done = seconds * (epoch - 1) / epoch  # by an earlier attempt, if it is not the first epoch
            self._open[name] = _Training(work, epoch - 1, done)
        training = self._open[name]
        spent = max(0.0, seconds - training.seconds)
        if self._began is None:
            self._began = self.now() - spent
        self._trained += spent
        self._last = self.now()
        self._most = max(self._most, len(self._open))
        training.epoch, training.seconds = epoch, seconds

    def ended(self, name: str) -> None:
        """A training has ended, or failed."""
        training = self._open.pop(name, None)
        if training is None:
            self._waiting.pop(name, None)
        else:
            self.saw(training.work.macs or 0.0, training.epoch, training.seconds)

    def seconds(self) -> float | None:
        """Until the end of the last training of the run; None as long as nothing is known of its speed."""
        speeds = self._speeds or [(one.work.macs or 0.0, one.epoch, one.seconds) for one in self._open.values()]
        if not speeds or not self._trained:
            return None
        macs_N, epochs_N, seconds_N = np.array(speeds, dtype=float).T
        (fixed, each), _ = nnls(np.stack([np.ones_like(macs_N), macs_N], axis=1), seconds_N / epochs_N)
        rest = [one.work._replace(given=max(one.work.given, float(one.epoch))) for one in self._open.values()]
        usual = Work(float(macs_N.mean()), float(epochs_N[-32:].mean()))
        total = 0.0
        for work in (*rest, *self._waiting.values(), *self._ahead):
            macs = usual.macs if work.macs is None else work.macs
            epochs = usual.epochs if work.epochs is None else work.epochs
            total += (fixed + each * (macs or 0.0)) * max(0.0, (epochs or 0.0) - work.given)
        elapsed = self._before + (0.0 if self._began is None else self.now() - self._began)
        at_once = min(self._trained / max(elapsed, 1e-9), float(self._most))
        return total / at_once
