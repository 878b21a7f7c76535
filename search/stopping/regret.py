"""When a trial may stop: as soon as what all stopped trials could still have brought is worth less than a tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from search.stopping.forecast import FEWEST, Forecaster, accuracy_of, log_error

Values = NDArray[np.float64]

POINTS = 129
"""Of the integral over accuracies."""

TAIL = 5.0
"""Standard deviations above which no final accuracy is reckoned with."""


def decision_epochs(epochs: int) -> list[int]:
    """Epochs after which a trial may be stopped: each of the first few, then about every seventh part longer."""
    spaced = np.geomspace(1, max(epochs, 2), max(2, round(np.log(max(epochs, 2)) / np.log(1.15))))
    return sorted({int(epoch) for epoch in spaced.round() if epoch < epochs})


def expected_excess(best: float, mean_N: Values, std_N: Values) -> float:
    """By how much the best of N independent finals exceeds ``best``, in expectation, in accuracy.

    Args:
        best: an accuracy.
        mean_N: of the finals' ``log_error``, shape (N,).
        std_N: its standard deviations.
    """
    reach_N = accuracy_of(mean_N - TAIL * std_N)
    top = float(reach_N.max(initial=best))
    if top <= best:
        return 0.0
    near = reach_N > best
    level_P = np.linspace(best, top, POINTS)
    above_PN = ndtr((log_error(level_P)[:, None] - mean_N[near]) / std_N[near])
    return float(np.trapezoid(1 - np.prod(1 - above_PN, axis=1), level_P))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A trial that ended: its accuracies by epoch, what was known of it before, and its cost band (0 the cheapest)."""

    curve: tuple[float, ...]
    trait_C: Values
    band: int


class RegretRule:
    """Decides after each report of a trial whether it goes on, by what has ended then.

    The state is the set of ended trials, whatever their order, so a resumed search decides as an undisturbed one.

    A trial of a cost band competes with the trials of that band and of cheaper ones. The stopped trials among them have
    a forecast each (``Forecaster``); the expected regret is by how much the best of them would have exceeded the best
    that was trained in full. A trial stops if with it the regret stays within ``tolerance`` times the distance from the
    median to the best, or if it adds no more than its own share of that.
    """

    def __init__(self, *, epochs: int, trials: int, tolerance: float) -> None:
        """Prepare.

        Args:
            epochs: length of the schedule.
            trials: that will be trained in all, among whom the tolerance is shared.
            tolerance: expected regret that may be paid, in units of (best - median).
        """
        self._epochs, self._trials, self._tolerance = epochs, trials, tolerance
        self._at = frozenset(decision_epochs(epochs))
        self._ended: dict[int, Ended] = {}
        self._forecasters: dict[int, Forecaster] = {}
        self._forecast: dict[int, tuple[float, float]] = {}

    def end(self, number: int, ended: Ended) -> None:
        """A trial has ended, in full or not; one without a report teaches nothing."""
        if not ended.curve:
            return
        self._ended[number] = ended
        if len(ended.curve) == self._epochs:
            self._forecasters.clear()
            self._forecast.clear()

    def goes_on(self, curve: Sequence[float], trait_C: Values, band: int) -> bool:
        """Whether a running trial is worth more epochs.

        Args:
            curve: its accuracies so far, one an epoch.
            trait_C: what is known of it before training.
            band: its cost band.
        """
        if len(curve) >= self._epochs:
            return False
        if len(curve) not in self._at or not self._ready:
            return True
        rivals = {n: e for n, e in sorted(self._ended.items()) if e.band <= band}
        whole = [e.curve[-1] for e in rivals.values() if len(e.curve) == self._epochs]
        if not whole:
            return True
        self._look_ahead(rivals)
        stopped = [self._forecast[n] for n, e in rivals.items() if len(e.curve) < self._epochs]
        best = max(whole)
        finals = [*whole, *accuracy_of(np.array([mean for mean, _ in stopped]))]
        allowed = self._tolerance * (best - float(np.median(finals)))
        new = self._ask(len(curve), np.array([curve]), trait_C[None])
        before_N2 = np.array(stopped).reshape(-1, 2)
        after_N2 = np.concatenate([before_N2, np.stack(new, axis=1)])
        regret = expected_excess(best, after_N2[:, 0], after_N2[:, 1])
        added = regret - expected_excess(best, before_N2[:, 0], before_N2[:, 1])
        return regret > allowed and added > allowed / self._trials

    def finals(self, numbers: Sequence[int]) -> list[float]:
        """Final accuracies of ended trials: measured where trained in full, else forecast, else the last that was seen.

        A forecast is the median of what is believed; it lies between 0 and 1.
        """
        if self._ready:
            self._look_ahead({n: self._ended[n] for n in numbers})
        return [self._final(number) for number in numbers]

    def _final(self, number: int) -> float:
        if number in self._forecast:
            return float(np.clip(accuracy_of(np.array(self._forecast[number][0])), 0, 1))
        return self._ended[number].curve[-1]

    @property
    def _ready(self) -> bool:
        return len(self._whole()) >= FEWEST

    def _whole(self) -> list[Ended]:
        return [e for _, e in sorted(self._ended.items()) if len(e.curve) == self._epochs]

    def _look_ahead(self, trials: dict[int, Ended]) -> None:
        """Forecast those stopped trials whose forecast is not known yet."""
        groups: dict[int, list[int]] = {}
        for number, ended in trials.items():
            if len(ended.curve) < self._epochs and number not in self._forecast:
                groups.setdefault(len(ended.curve), []).append(number)
        for epoch, numbers in groups.items():
            curve_MT = np.array([trials[number].curve for number in numbers])
            mean_M, std_M = self._ask(epoch, curve_MT, np.stack([trials[number].trait_C for number in numbers]))
            self._forecast.update(zip(numbers, zip(mean_M.tolist(), std_M.tolist(), strict=True), strict=True))

    def _ask(self, epoch: int, curve_MT: Values, trait_MC: Values) -> tuple[Values, Values]:
        if epoch not in self._forecasters:
            whole = self._whole()
            curves, traits = np.array([e.curve for e in whole]), np.stack([e.trait_C for e in whole])
            self._forecasters[epoch] = Forecaster(curves, traits, epoch)
        return self._forecasters[epoch](curve_MT, trait_MC)
