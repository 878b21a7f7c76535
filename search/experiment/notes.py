"""What a study keeps beside its trials: how long the stages of a run took, and the figures of each round."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from scipy.stats import kendalltau

from search.experiment.trials import Trials
from search.learning.learner import Learner
from search.problem.problem import Observations
from search.record.study import Study

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


class RoundFigures:
    """The figures of rounds. Predictors are fitted for them in a thread, while trials train; no trial waits for that.

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

    def begin(self, round_: int, observed: Observations) -> None:
        """A round is about to be proposed from what was observed; the first has no figures."""
        self.collect()
        if round_ == 0 or round_ in self._open or f"{FIGURES}{round_}" in self._study.notes:
            return
        known = {
            "trained": len(observed.score_N),
            "stop_epoch": self._trials.decisive_epoch(self._trials.of("search")),
            "tau_of_proposals": tau_of_proposals(self._trials),
        }
        self._open[round_] = known, self._pool.submit(self._taus, observed)

    def begin_missing(self) -> None:
        """Begin with those that an earlier attempt had no time for, and with what all trials together show."""
        search = self._trials.of("search")
        for round_ in range(1, search[-1].round + 2):
            self.begin(round_, self._trials.observations([trial for trial in search if trial.round < round_]))

    def collect(self, *, wait: bool = False) -> None:
        """Keep and tell the figures that are known by now; or wait until all are."""
        for round_, (known, taus) in list(self._open.items()):
            if wait or taus.done():
                del self._open[round_]
                figures = known | taus.result()
                plain = {name: None if math.isnan(value) else value for name, value in figures.items()}
                self._study.note(f"{FIGURES}{round_}", plain)
                self._on_known(round_, figures)

    def close(self) -> None:
        """End the thread, which finishes what it fits."""
        self._pool.shutdown(cancel_futures=True)

    def _taus(self, observed: Observations) -> dict[str, float]:
        return {
            "tau": self._watched.held_out_tau(observed),
            "tau_without_pretraining": self._watched.held_out_tau(observed, pretrained=False),
        }


def describe(round_: int, figures: Mapping[str, float], watched: str) -> str:
    """A round's figures for people; ``watched`` names the predictor."""
    return (
        f"round {round_}: Kendall tau of the {watched} on held-out trials {figures['tau']:.2f} "
        f"({figures['tau_without_pretraining']:.2f} without pretraining); "
        f"candidates are compared at epoch {figures['stop_epoch']}"
    )


def tau_of_proposals(trials: Trials) -> float:
    """Kendall's tau between what was predicted of all proposals before they were trained and what they reached."""
    search = trials.of("search")
    ended = [trial for trial in search if trial.is_finished and trial.message is None]
    pairs = [
        (trial.predicted[0], score)
        for trial, score in zip(ended, trials.scores(ended, search), strict=True)
        if trial.predicted is not None and score is not None
    ]
    return float(kendalltau(*zip(*pairs, strict=True)).statistic) if len(pairs) > 1 else math.nan
