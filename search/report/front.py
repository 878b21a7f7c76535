"""Accuracy against cost as a picture."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.problem.front import pareto_front
from search.report.drawing import BLUE, GREY, ORANGE, PURPLE, new_figure
from search.report.importance import scored
from search.words import amount

MANY = 1000
"""Points beyond which they are drawn as one picture: as shapes they make the page large and slow."""
LABELS = {
    "macs": "macs of one image",
    "params": "parameters",
    "activations": "activations of one image",
    "latency_ms": "latency, ms",
}


def front_figure(trials: pd.DataFrame, family: pd.DataFrame, references: pd.DataFrame, costs: Sequence[str]) -> Figure:
    """Accuracy against each cost: every scored trial, the front of the trials, the family, and its references."""
    rows = scored(trials)
    figure, axes = new_figure(len(costs), height=3.8)
    for axis, cost in zip(axes, costs, strict=True):
        known = rows[rows[cost].notna()]
        axis.scatter(
            known[cost], known["score"], s=14, color=GREY, alpha=0.6, linewidths=0, label="trial",
            rasterized=len(known) > MANY,
        )  # fmt: skip
        front = known.iloc[pareto_front(known[cost], known["score"])]
        axis.step(front[cost], front["score"], where="post", color=BLUE, lw=1.6, label="front of the trials")
        if len(references) and cost in references:
            axis.plot(
                references[cost], references["search_accuracy"], "D", ms=5, color="none", mec=PURPLE, mew=1.2,
                label="reference, fully trained",
            )  # fmt: skip
        if len(family):
            axis.plot(
                family[cost], family["search_accuracy"], "*", ms=12, color=ORANGE, mec="none",
                label="family, fully trained",
            )  # fmt: skip
        axis.set(xscale="log", xlabel=LABELS.get(cost, cost), ylim=(_lowest_shown(known["score"]), None))
        plain_log_ticks(axis)
    axes[0].set_ylabel("accuracy on search-validation")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return figure


def _lowest_shown(score: pd.Series) -> float | None:
    """Lowest accuracy shown: a few trials that failed to learn must not flatten the front; None shows all."""
    low, high = float(score.quantile(0.1)), float(score.max())
    floor = low - 0.5 * (high - low)
    return floor if float(score.min()) < floor else None


def plain_log_ticks(axis: Axes) -> None:
    """Some values of each power of ten, the fewer the more powers there are, with k, M and G."""
    low, high = axis.get_xlim()
    decades = math.log10(high / low)
    steps = (1.0, 2.0, 5.0) if decades < 1.5 else (1.0, 3.0) if decades < 3 else (1.0,)
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=steps, numticks=12))
    axis.xaxis.set_major_formatter(lambda value, _: amount(value))
    axis.xaxis.set_minor_locator(ticker.NullLocator())
