"""How well the predictor ranked each round's trials, and how fast the search came to its best."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.report.drawing import BLUE, FULL_WIDTH, GREEN, GREY, ORANGE, new_figure
from search.report.evidence import Evidence
from search.report.importance import scored
from search.report.section import Section
from search.words import named

ORDER = 30
TITLE = "Predictor quality"

TAU = (
    "The predictor, fitted to three quarters of the trials known before a round, ranks the last quarter, each quarter "
    "in turn; Kendall tau compares that order with the measured one (1: same order, 0: no relation). Measured when "
    "the trials have doubled, and at the end; with few trials a tau says little."
)
REGRET = (
    "Regret is how far the best trial so far within each member's macs lies below the best of the whole run, so that "
    "it ends at 0."
)

LINES = {
    "tau": ("with pretraining", BLUE, "o-"),
    "tau_without_pretraining": ("without pretraining", ORANGE, "s--"),
}
"""Label, colour and marks of each column of the rounds that is drawn."""


def section(evidence: Evidence) -> Section | None:
    """Kendall tau by round and regret by trial."""
    regrets = regret(evidence.trials, [float(macs) for macs in evidence.family["macs"]])
    known = [column for column in LINES if column in evidence.rounds and evidence.rounds[column].notna().any()]
    if regrets.empty and not known:
        return None
    described = named([*(["Kendall tau by round"] * bool(known)), *(["regret by trial"] * (not regrets.empty))])
    return Section(
        text=" ".join([*([TAU] * bool(known)), *([REGRET] * (not regrets.empty))]),
        figure=_draw(evidence.rounds, regrets, known),
        description=described,
        table=evidence.rounds if known else None,
        table_title="Figures by round",
    )


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


def _draw(rounds: pd.DataFrame, regrets: pd.DataFrame, known: Sequence[str]) -> Figure:
    drawn = bool(known) + (not regrets.empty)
    figure, axes = new_figure(drawn, width=FULL_WIDTH * drawn / 2)
    if known:
        _draw_taus(axes[0], rounds, known)
    if not regrets.empty:
        axes[-1].step(regrets["trials"], regrets["regret"], where="post", color=GREEN)
        axes[-1].set(xlabel="trials", ylabel="mean regret over the family's budgets", ylim=(0, None))
    return figure


def _draw_taus(axis: Axes, rounds: pd.DataFrame, known: Sequence[str]) -> None:
    for column in known:
        label, colour, marks = LINES[column]
        rows = rounds[rounds[column].notna()]
        axis.plot(rows["trained"], rows[column], marks, color=colour, label=label, ms=5)
    axis.axhline(0, color=GREY, lw=0.8)
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axis.set(xlabel="trials known to the predictor", ylabel="Kendall tau on held-out trials", ylim=(-1.05, 1.05))
    axis.legend()
