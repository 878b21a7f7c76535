"""A trial as a worker gets it, and what it says after every epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from spaces.candidate import Candidate

ACCURACY, OF_EVALUATION = "accuracy", "assess."
"""What a trial is judged by: accuracy, or ``assess.EVALUATION.METRIC``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A trial to run.

    Attributes:
        number: of the trial in the study.
        candidate: what to train.
        epochs: length of the schedule.
        stop: epoch after which to stop, at most ``epochs``.
        seed: of the training.
    """

    number: int
    candidate: Candidate
    epochs: int
    stop: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The end of an epoch: of as many forward-backward passes as there are images to pretrain on.

    Attributes:
        epoch: epochs trained so far, from 1.
        accuracy: share of the search-validation images classified correctly, in [0, 1], or what the task has as its
            score in its place; while a network is pretrained, accuracy by the nearest class mean of its features.
        loss: mean training loss of the epoch.
        seconds: time since the trial began, over all its attempts.
        monitors: what an objective without labels says of itself (``trainables.plan.Watched``), by name, and the
            figures that a score is made of.
    """

    epoch: int
    accuracy: float
    loss: float
    seconds: float
    monitors: Mapping[str, float] = field(default_factory=dict)
