"""What was predicted for each trial before it was trained, against what was measured."""

import pandas as pd
from matplotlib.figure import Figure

from search.report.drawing import BLUE, GREY, MOST_LINES, ORANGE, new_figure, thinned
from search.report.evidence import Evidence
from search.report.section import Section

ORDER = 40
TITLE = "Predicted against measured accuracy"

Z90 = 1.6449
"""Half-width of the central 90 % of a standard normal distribution."""


def section(evidence: Evidence) -> Section | None:
    """A point a trial, and how many lie inside their interval."""
    rows = evidence.trials[evidence.trials["score"].notna() & evidence.trials["predicted_mean"].notna()]
    if rows.empty:
        return None
    error = (rows["score"] - rows["predicted_mean"]).abs()
    inside = float((error <= Z90 * rows["predicted_std"]).mean())
    text = (
        f"Of {len(rows)} trials that were predicted before they were trained, {inside:.0%} lie in the interval that "
        f"should hold 90 %; the mean absolute error is {error.mean():.4f}."
    )
    if len(rows) > MOST_LINES:
        text += " An even selection of them is drawn."
    return Section(text=text, figure=_draw(rows), description="Predicted against measured accuracy of each trial")


def _draw(trials: pd.DataFrame) -> Figure:
    rows = thinned(trials)
    mean = rows["predicted_mean"].clip(0, 1)
    bounds = [(rows["predicted_mean"] + side * Z90 * rows["predicted_std"]).clip(0, 1) for side in (-1, 1)]
    figure, (axis,) = new_figure(1, width=5.6, height=4.6)
    axis.errorbar(
        rows["score"], mean, yerr=[mean - bounds[0], bounds[1] - mean], fmt="o", ms=3.5, color=BLUE,
        ecolor=GREY, elinewidth=0.7, alpha=0.8, label="trial, predicted before it was trained",
    )  # fmt: skip
    ends = [rows["score"].min(), rows["score"].max()]
    axis.plot(ends, ends, color=ORANGE, lw=1.2, label="predicted = measured")
    axis.set(xlabel="measured", ylabel="predicted, with its interval of 90 % up to 1")
    axis.legend(loc="upper left")
    return figure
