"""Stopping rules for ``search.replay.curves`` behind one protocol: ours, the paper's, Ray Tune's and Optuna's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import optuna
from numpy.typing import NDArray

from search.stopping.ranks import stop_epoch
from search.stopping.regret import Ended, RegretRule

Values = NDArray[np.float64]

INITIAL, THRESHOLD = 24, 0.92
"""Of the paper's rule: trials trained in full before it decides (``search.initial``), and its rank correlation."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Trials in the order they start: accuracies curve_NE, what is known before training trait_NC, cost band_N."""

    name: str
    curve_NE: Values
    trait_NC: Values
    band_N: NDArray[np.intp]


class Rule(Protocol):
    """A stopping rule at work on the curves of one data set.

    Attributes:
        compares_whole: whether what it keeps is chosen among the trials that were trained in full, or among all.
    """

    compares_whole: bool

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        """Whether trial ``number``, whose accuracies so far are given, goes on."""

    def ended(self, number: int, curve: Sequence[float]) -> None:
        """The trial has ended."""

    def scores(self) -> Sequence[float] | None:
        """What a predictor is told of each trial, by number; None for the last accuracy of each."""


class Full:
    """Every trial is trained in full."""

    compares_whole = True

    def __init__(self, recorded: Curves) -> None:
        self._epochs: int = recorded.curve_NE.shape[1]

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        return len(curve) < self._epochs

    def ended(self, number: int, curve: Sequence[float]) -> None:
        return None

    def scores(self) -> Sequence[float] | None:
        return None


class Paper(Full):
    """FBNetV3: the first trials in full, the others to the first epoch whose ranks agree with the final ones."""

    compares_whole = False

    def __init__(self, recorded: Curves) -> None:
        super().__init__(recorded)
        self._initial: list[list[float]] = []
        self._curves: dict[int, Sequence[float]] = {}
        self._stop = self._epochs

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        return len(curve) < (self._epochs if number < INITIAL else self._stop)

    def ended(self, number: int, curve: Sequence[float]) -> None:
        self._curves[number] = curve
        if number < INITIAL:
            self._initial.append(list(curve))
            if len(self._initial) == INITIAL:
                self._stop = stop_epoch(self._initial, self._epochs, THRESHOLD)

    def scores(self) -> Sequence[float] | None:
        return [curve[min(self._stop, len(curve)) - 1] for _, curve in sorted(self._curves.items())]


class Regret(Full):
    """``search.stopping.regret`` with the tolerance of the configuration's default."""

    def __init__(self, recorded: Curves, *, tolerance: float = 0.01, audit: float = 0.0, seed: int = 0) -> None:
        super().__init__(recorded)
        self._recorded = recorded
        self._rule = RegretRule(epochs=self._epochs, trials=len(recorded.curve_NE), tolerance=tolerance)
        self._audited_N = np.random.default_rng(seed).random(len(recorded.curve_NE)) < audit

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        if self._audited_N[number]:
            return len(curve) < self._epochs
        return self._rule.goes_on(curve, self._recorded.trait_NC[number], int(self._recorded.band_N[number]))

    def ended(self, number: int, curve: Sequence[float]) -> None:
        band = int(self._recorded.band_N[number])
        self._rule.end(number, Ended(curve=tuple(curve), trait_C=self._recorded.trait_NC[number], band=band))

    def scores(self) -> Sequence[float] | None:
        return self._rule.finals(range(len(self._recorded.curve_NE)))


class Asha(Full):
    """Ray Tune's ``AsyncHyperBandScheduler`` with its defaults."""

    def __init__(self, recorded: Curves) -> None:
        from search.replay import ray_asha  # which nobody else here has to wait for

        super().__init__(recorded)
        self._asha = ray_asha.Asha(self._epochs)

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        return self._asha.goes_on(number, len(curve), curve[-1]) and len(curve) < self._epochs


class OptunaPruner(Full):
    """One of Optuna's pruners, asked through a study in memory."""

    def __init__(self, recorded: Curves, pruner: optuna.pruners.BasePruner) -> None:
        super().__init__(recorded)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(study_name=recorded.name, direction="maximize", pruner=pruner)
        self._trials: dict[int, optuna.Trial] = {}

    def goes_on(self, number: int, curve: Sequence[float]) -> bool:
        if number not in self._trials:
            self._trials[number] = self._study.ask()
        trial = self._trials[number]
        trial.report(curve[-1], len(curve))
        return len(curve) < self._epochs and not trial.should_prune()

    def ended(self, number: int, curve: Sequence[float]) -> None:
        whole = len(curve) == self._epochs
        state = optuna.trial.TrialState.COMPLETE if whole else optuna.trial.TrialState.PRUNED
        self._study.tell(self._trials[number], curve[-1] if whole else None, state=state)


RULES: dict[str, Callable[[Curves], Rule]] = {
    "full": Full,
    "paper": Paper,
    "regret": Regret,
    "regret_audited": lambda recorded: Regret(recorded, audit=0.125),
    "ray_asha": Asha,
    "optuna_hyperband": lambda recorded: OptunaPruner(
        recorded, optuna.pruners.HyperbandPruner(max_resource=recorded.curve_NE.shape[1])
    ),
    "optuna_halving": lambda recorded: OptunaPruner(recorded, optuna.pruners.SuccessiveHalvingPruner()),
}
"""Every rule with the settings that its makers recommend, by name."""
