"""The tables that a report is made of, and how they follow from the trials."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search.family.members import COLUMNS, TrialRecord
from search.report.heatmaps import Heatmap
from search.report.importance import scored
from spaces.candidate import ROLES

COSTS = ("macs", "params", "activations")


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """What a report is made of.

    Attributes:
        name: the run's name.
        trials: one row a trial: ``number``, ``state`` (complete, pruned, fail), ``round``, ``score`` (NaN if failed),
            ``macs``, ``params``, ``activations``, ``resolution``, ``epochs_run``, ``seconds``, ``predicted_mean`` and
            ``predicted_std`` (NaN if not predicted), ``error``; one column for each address of every role
            (``architecture.*``, ``recipe.*``, ...), NaN where inactive. ``trials_frame`` makes it. Optional: ``images``
            drawn and forward-backward ``passes`` made.
        curves: one row an epoch of a trial: ``number``, ``epoch``, ``accuracy``, ``loss``. ``curves_frame`` makes it.
        rounds: one row a round: ``round``, ``trained`` (trials the predictor knew), ``tau`` and
            ``tau_without_pretraining`` on the round's new trials; further numeric columns appear in the table.
        family: the columns of ``family.csv``.
        stages: ``name`` and ``seconds`` of each stage, in order.
        confusion: for each member, counts of shape (classes, classes): rows true, columns predicted; test split.
        heatmaps: for each member, where it looked in some test images.
        classes: names of the classes.
        settings: facts of the run for the head of the page, by name: data, space, seed, versions, hardware, ...
        notices: sentences that nobody should overlook, such as that a limit is on a predicted figure.
    """

    name: str
    trials: pd.DataFrame
    curves: pd.DataFrame
    rounds: pd.DataFrame
    family: pd.DataFrame
    stages: pd.DataFrame
    confusion: Mapping[str, NDArray[np.integer]] = field(default_factory=dict)
    heatmaps: Mapping[str, Sequence[Heatmap]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        needed = {
            "trials": ("number", "state", "round", "score", *COSTS, "epochs_run", "seconds", "predicted_mean"),
            "curves": ("number", "epoch", "accuracy", "loss"),
            "rounds": ("round", "trained", "tau"),
            "family": COLUMNS,
            "stages": ("name", "seconds"),
        }
        for table, columns in needed.items():
            missing = [column for column in columns if column not in getattr(self, table)]
            if missing:
                raise ValueError(f"the report's table '{table}' lacks the columns {missing}")


def trials_frame(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """The ``trials`` table of a report."""
    rows = []
    for record in records:
        mean, std = record.predicted or (math.nan, math.nan)
        candidate = {
            f"{role}.{address}": value for role in ROLES for address, value in getattr(record.candidate, role).items()
        }
        rows.append(
            {
                "number": record.number,
                "state": record.state,
                "round": record.round,
                "score": math.nan if record.score is None else record.score,
                **dict.fromkeys(COSTS, math.nan),
                **record.statistics,
                "epochs_run": len(record.curve),
                "seconds": record.seconds,
                "predicted_mean": mean,
                "predicted_std": std,
                "error": record.error or "",
                **candidate,
            }
        )
    empty = ("number", "state", "round", "score", *COSTS, "epochs_run", "seconds", "predicted_mean", "predicted_std")
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*empty, "error"])


def curves_frame(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """The ``curves`` table of a report."""
    rows = [(record.number, epoch.epoch, epoch.accuracy, epoch.loss) for record in records for epoch in record.curve]
    return pd.DataFrame(rows, columns=["number", "epoch", "accuracy", "loss"])


def regret(trials: pd.DataFrame, budgets: Sequence[float]) -> pd.DataFrame:
    """Mean over macs budgets of (best score of the whole run - best so far) within the budget, after each trial.

    As long as no trial fits a budget, the lowest score of the run stands in. Columns ``trials`` and ``regret``.
    """
    rows = scored(trials).sort_values("number")
    score_N, macs_N = rows["score"].to_numpy(dtype=float), rows["macs"].to_numpy(dtype=float)
    within = [macs_N <= budget for budget in budgets if (macs_N <= budget).any()]
    if not within:
        return pd.DataFrame({"trials": [], "regret": []})
    best_KN = [np.maximum.accumulate(np.where(fits_N, score_N, score_N.min())) for fits_N in within]
    mean_N = np.mean([best_N[-1] - best_N for best_N in best_KN], axis=0)
    return pd.DataFrame({"trials": np.arange(1, len(rows) + 1), "regret": mean_N})
