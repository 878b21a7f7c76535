"""What a study keeps beside its trials: how long the stages of a run took, and the figures of each round."""

import math
import time
from collections.abc import Iterator, Mapping
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


def is_noted(study: Study, round_: int) -> bool:
    """Whether a study keeps the figures of a round."""
    return f"{FIGURES}{round_}" in study.notes


def note_figures(study: Study, round_: int, figures: Mapping[str, float]) -> None:
    """Keep the figures of a round with a study; None for those that are not known."""
    study.note(f"{FIGURES}{round_}", {name: None if math.isnan(value) else value for name, value in figures.items()})


def describe(round_: int, figures: Mapping[str, float], watched: str) -> str:
    """A round's figures for people; ``watched`` names the predictor."""
    return (
        f"round {round_}: Kendall tau of the {watched} on held-out trials {figures['tau']:.2f} "
        f"({figures['tau_without_pretraining']:.2f} without pretraining); "
        f"candidates are compared at epoch {figures['stop_epoch']}"
    )


def figures_of(trials: Trials, watched: Learner, observed: Observations) -> dict[str, float]:
    """The figures before a round is proposed; NaN where there is too little to know one.

    Args:
        trials: of the run so far.
        watched: learner whose predictor is measured on held-out trials, with and without pretraining.
        observed: what the round is proposed from.

    Returns:
        ``trained`` (trials), ``stop_epoch``, and Kendall's ``tau``, ``tau_without_pretraining``, ``tau_of_proposals``.
    """
    return {
        "trained": len(observed.score_N),
        "stop_epoch": trials.decisive_epoch(trials.of("search")),
        "tau": watched.held_out_tau(observed),
        "tau_without_pretraining": watched.held_out_tau(observed, pretrained=False),
        "tau_of_proposals": tau_of_proposals(trials),
    }


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
