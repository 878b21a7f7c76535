"""What sections of the report read: the run's tables, and its members' networks with the test images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

import pandas as pd
from torch import nn

from search.family.comparison import Comparison
from search.family.members import COLUMNS, BudgetRow
from search.family.references import references_table
from search.family.spent import Spent
from search.record.trial import Trial
from search.report.answers import Answers, answers_of
from search.report.importance import Importance, importance
from spaces.candidate import Candidate
from trainables.splits import Images

COSTS = ("macs", "params", "activations")

TRIAL_COLUMNS = (
    "number",
    "state",
    "round",
    "score",
    *COSTS,
    "epochs_run",
    "seconds",
    "predicted_mean",
    "predicted_std",
    "error",
)
CURVE_COLUMNS = ("number", "epoch", "accuracy", "loss")

PASSES = "passes"
"""Column of the trials that is there, with ``images``, where their effort is known."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a report is made of.

    Attributes:
        name: the run's name.
        trials: one row a trial: ``number``, ``state`` (complete, pruned, fail), ``round``, ``score`` (NaN if failed),
            ``macs``, ``params``, ``activations``, ``resolution``, ``epochs_run``, ``seconds``, ``predicted_mean`` and
            ``predicted_std`` (NaN if not predicted), ``error``, ``origin`` (of what no sampler proposed); one column
            for each address of every role (``architecture.*``, ``recipe.*``, ...), NaN where inactive.
            ``trials_frame`` makes it. Optional: ``images`` drawn and forward-backward ``passes`` made.
        curves: one row an epoch of a trial: ``number``, ``epoch``, ``accuracy``, ``loss``. ``curves_frame`` makes it.
        rounds: one row a round: ``round``, ``trained`` (trials the predictor knew), ``tau`` and
            ``tau_without_pretraining`` on held-out trials, NaN where not measured; further numeric columns appear in
            the table.
        family: the columns of ``family.csv``.
        references: the columns of ``references_table``, of what was trained beside the family.
        compared: members beside these references, by the member's name.
        stages: ``name`` and ``seconds`` of each stage, in order.
        networks: each member's network by its name, in evaluation mode, from images to class scores.
        test: the images of the test split.
        classes: names of the classes.
        settings: facts of the run for the head of the page, by name: data, space, seed, versions, hardware, ...
        notices: sentences that nobody should overlook, such as that a limit is on a predicted figure.
        asked: what the search was to find, in sentences.
        budgets: what each budget got, tightest first.
        candidates: architecture and recipe of each member by its name.
        spent: what the final trainings of each member took, by its name.
        folder: where the members' folders lie, seen from the page.
        validation_images: how many the scores of trials rest on; 0 if unknown.
        evaluations: what ``search evaluate`` has kept of the members: ``network``, ``evaluation``, ``metric``,
            ``part``, ``value``, ``low``, ``high``, ``count``.
        ladder: trainings on growing shares of the data, as ``search.ladder.rungs`` keeps them.
        along: trainings along addresses, as ``search.ladder.along`` keeps them.

    Raises:
        ValueError: a table lacks a column.
    """

    name: str
    trials: pd.DataFrame
    curves: pd.DataFrame
    rounds: pd.DataFrame
    family: pd.DataFrame
    stages: pd.DataFrame
    networks: Mapping[str, nn.Module]
    test: Images
    classes: tuple[str, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    references: pd.DataFrame = field(default_factory=lambda: references_table(()))
    compared: Mapping[str, Comparison] = field(default_factory=dict)
    asked: str = ""
    budgets: tuple[BudgetRow, ...] = ()
    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    folder: str = "family"
    spent: Mapping[str, Spent] = field(default_factory=dict)
    validation_images: int = 0
    evaluations: pd.DataFrame = field(default_factory=pd.DataFrame)
    ladder: pd.DataFrame = field(default_factory=pd.DataFrame)
    along: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        needed = {
            "trials": TRIAL_COLUMNS,
            "curves": CURVE_COLUMNS,
            "rounds": ("round", "trained", "tau"),
            "family": COLUMNS,
            "stages": ("name", "seconds"),
        }
        for table, columns in needed.items():
            missing = [column for column in columns if column not in getattr(self, table)]
            if missing:
                raise ValueError(f"the report's table '{table}' lacks the columns {missing}")

    @cached_property
    def importance(self) -> Importance | None:
        """How much the score depends on each dimension, which several sections tell; None with too few trials."""
        return importance(self.trials)

    @cached_property
    def answers(self) -> Mapping[str, Answers]:
        """What each member answers on the test images, by its name."""
        if not len(self.test):
            return {}
        classes = len(self.classes)
        return {member: answers_of(network, self.test, classes) for member, network in self.networks.items()}


def trials_frame(trials: Sequence[Trial]) -> pd.DataFrame:
    """The ``trials`` table of a report."""
    rows = []
    for trial in trials:
        mean, std = trial.predicted or (math.nan, math.nan)
        rows.append(
            {
                "number": trial.number,
                "state": trial.state,
                "round": trial.round,
                "score": math.nan if trial.score is None else trial.score,
                **dict.fromkeys(COSTS, math.nan),
                **asdict(trial.statistics),
                "epochs_run": len(trial.reports),
                "seconds": trial.seconds,
                "predicted_mean": mean,
                "predicted_std": std,
                "error": trial.message or "",
                "origin": trial.origin or "",
                **trial.candidate.by_address,
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(TRIAL_COLUMNS))


def curves_frame(trials: Sequence[Trial]) -> pd.DataFrame:
    """The ``curves`` table of a report."""
    rows = [(trial.number, report.epoch, report.accuracy, report.loss) for trial in trials for report in trial.reports]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))
