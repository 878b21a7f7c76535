"""What a study keeps beside its trials: how long the stages of a run took, and the figures of each round."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from scipy.stats import kendalltau

from search.experiment.trials import Trials
from search.learning.learner import Learner
from search.problem.problem import Observations
from search.record.study import Study
from search.record.trial import Trial

SECONDS = "seconds."
"""Prefix of the notes that hold the seconds of a stage, over all attempts."""

FIGURES = "round."
"""Prefix of the notes that hold the figures of a round."""


@contextmanager
def timed(study: Study, stage: str) -> Iterator[None]:
    """Add the time that the block takes to the stage's."""
    began = time.monotonic()
    try:
        yield
    finally:
        add_seconds(study, stage, time.monotonic() - began)


def add_seconds(study: Study, stage: str, seconds: float) -> None:
    """Add seconds to the stage's."""
    key = f"{SECONDS}{stage}"
    study.note(key, round(float(study.notes.get(key, 0.0)) + seconds, 2))


TAUS = "tau", "tau_without_pretraining"
"""Names of the figures for which predictors are fitted; NaN in rounds in which none was."""

GROWTH = 2.0
"""The predictor is measured again once it knows this many times the trials, and at the end.

The eight fits of a measurement take the processor from the trials; in every round they were two fifths of the driver's
time.
"""


class RoundFigures:
    """The figures of rounds. Predictors are fitted for some in a thread, while trials train; no trial waits for that.

    Args:
        trials: of the run so far.
        watched: learner whose predictor is measured on held-out trials, with and without pretraining.
        study: keeps the figures; None for those that are not known.
        on_known: called with each round and its figures, in the thread that calls the methods.
    """

    def __init__(
        self,
        trials: Trials,
        watched: Learner,
        study: Study,
        on_known: Callable[[int, Mapping[str, float]], None],
    ) -> None:
        self._trials, self._watched, self._study, self._on_known = trials, watched, study, on_known
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._open: dict[int, tuple[dict[str, float], Future[dict[str, float]]]] = {}

    def begin(self, round_: int, observed: Observations, *, last: bool = False) -> None:
        """A round is about to be proposed from what was observed; the first has no figures.

        ``last``: after it nothing is proposed, so that the predictor is measured however little it has grown.
        """
        self.collect()
        if round_ == 0 or round_ in self._open or f"{FIGURES}{round_}" in self._study.notes:
            return
        before = self._before(round_)
        known = {
            "trained": len(observed.score_N),
            "stop_epoch": self._trials.decisive_epoch(before),
            "tau_of_proposals": tau_of_proposals(self._trials, before),
        }
        if last or len(observed.score_N) >= GROWTH * self._measured():
            self._open[round_] = known, self._pool.submit(self._taus, observed)
        else:
            self._keep(round_, known | dict.fromkeys(TAUS, math.nan))

    def _measured(self) -> int:
        """The number of trials that the predictor knew when it was last measured, or is being."""
        noted = [value for key, value in self._study.notes.items() if key.startswith(FIGURES)]
        measured = [figures["trained"] for figures in noted if figures.get("tau") is not None]
        return int(max([*measured, *(known["trained"] for known, _ in self._open.values())], default=0))

    def begin_missing(self) -> None:
        """Begin with those that an earlier attempt had no time for, and with what all trials together show."""
        end = self._trials.of("search")[-1].round + 1
        for round_ in range(1, end + 1):
            self.begin(round_, self._trials.observations(self._before(round_)), last=round_ == end)

    def _before(self, round_: int) -> list[Trial]:
        """The trials that a round began with, also where later ones are known, as after a kill."""
        return [trial for trial in self._trials.of("search") if trial.round < round_]

    def collect(self, *, wait: bool = False) -> None:
        """Keep and tell the figures that are known by now; or wait until all are."""
        for round_, (known, taus) in list(self._open.items()):
            if wait or taus.done():
                del self._open[round_]
                self._keep(round_, known | taus.result())

    def _keep(self, round_: int, figures: dict[str, float]) -> None:
        plain = {name: None if math.isnan(value) else value for name, value in figures.items()}
        self._on_known(round_, figures)  # first: what is noted is not told again, whatever ends the process in between
        self._study.note(f"{FIGURES}{round_}", plain)

    def close(self) -> None:
        """End the thread, which finishes what it fits."""
        self._pool.shutdown(cancel_futures=True)

    def _taus(self, observed: Observations) -> dict[str, float]:
        with_and_without = (self._watched.held_out_tau(observed, pretrained=pretrained) for pretrained in (True, False))
        return dict(zip(TAUS, with_and_without, strict=True))


def describe(round_: int, figures: Mapping[str, float], watched: str) -> str:
    """A round's figures for people; ``watched`` names the predictor."""
    compared = f"candidates are compared at epoch {figures['stop_epoch']}"
    tau, without = (figures[name] for name in TAUS)
    if math.isnan(tau):
        return f"round {round_}: {compared}"
    alone = "" if math.isnan(without) else f" ({without:.2f} without pretraining)"
    return f"round {round_}: Kendall tau of the {watched} on held-out trials {tau:.2f}{alone}; {compared}"


def tau_of_proposals(trials: Trials, among: Sequence[Trial]) -> float:
    """Kendall's tau between what was predicted of proposals before they were trained and what they reached."""
    ended = [trial for trial in among if trial.is_finished and trial.message is None]
    pairs = [
        (trial.predicted[0], score)
        for trial, score in zip(ended, trials.scores(ended, among), strict=True)
        if trial.predicted is not None and score is not None
    ]
    return float(kendalltau(*zip(*pairs, strict=True)).statistic) if len(pairs) > 1 else math.nan
