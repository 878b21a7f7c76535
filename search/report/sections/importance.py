"""Which dimensions the score depended on."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from search.report.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, new_figure
from search.report.evidence import Evidence
from search.report.importance import FEWEST_TRIALS
from search.report.section import Section
from spaces.candidate import ROLES

ORDER = 50
TITLE = "What mattered"

COLOURS = dict(zip(ROLES, (BLUE, ORANGE, PURPLE, GREEN), strict=True))
MOST_BARS = 15


def section(evidence: Evidence) -> Section:
    """The dimensions whose effect is told from noise, with intervals; a sentence where none is."""
    importance = evidence.importance
    if importance is None:
        return Section(text=f"This needs at least {FEWEST_TRIALS} scored trials and a dimension that varies.")
    dimensions = f"{len(importance.table)} dimensions that varied"
    if importance.shown.empty:
        text = f"None of the {dimensions} has an effect on the score that these trials tell from noise."
        return Section(text=text, table=importance.table, table_title="All estimates", digits=3)
    text = (
        f"A random forest on the trials explains {max(0.0, importance.r2):.0%} of the variance of held-out ones. Drawn "
        "is how much of it is lost when one dimension's values are shuffled, for those of the "
        f"{dimensions} whose interval lies above 0 (95 % for all together). They describe these trials, which the "
        "search did not draw evenly."
    )
    return Section(
        text=text,
        figure=_draw(importance.shown.head(MOST_BARS)),
        description="Importance of each dimension that has one",
        table=importance.table,
        table_title="All estimates",
        digits=3,
    )


def _draw(rows: pd.DataFrame) -> Figure:
    top = rows.iloc[::-1]
    figure, (axis,) = new_figure(1, height=0.9 + 0.28 * len(top))
    roles = [address.partition(".")[0] for address in top["address"]]
    bounds = np.stack([top["mean"] - top["low"], top["high"] - top["mean"]])
    colours = [COLOURS[role] for role in roles]
    axis.barh(top["address"], top["mean"], xerr=bounds, color=colours, ecolor=GREY, height=0.65)
    axis.axvline(0, color=GREY, lw=0.8)
    axis.set(xlabel="drop in R² on held-out trials when its values are shuffled")
    legend = [Patch(color=colour, label=role) for role, colour in COLOURS.items() if role in roles]
    axis.legend(handles=legend, loc="lower right")
    return figure
