"""Parallel coordinates: the values of each trial, one line a trial."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from search.report.drawing import GREY, LATER, level_text, new_figure, thinned
from search.report.evidence import Evidence
from search.report.importance import addresses, scored
from search.report.section import Section

ORDER = 70
TITLE = "Parallel coordinates"

TEXT = "Each line is a trial, the best on top; it runs through 'off' where a dimension was switched off."

OFF = -0.12
"""Height at which a dimension is switched off: below its lowest value."""

MOST_DIMENSIONS = 9


def section(evidence: Evidence) -> Section | None:
    """The most important dimensions and the score; the first ones if nothing is known of their importance."""
    rows = scored(evidence.trials)
    importance = evidence.importance
    names = (addresses(rows) if importance is None else importance.table["address"].tolist())[:MOST_DIMENSIONS]
    if len(rows) < 2 or not names:
        return None
    return Section(
        text=TEXT,
        figure=_draw(rows, names),
        description="Parallel coordinates of dimensions and score",
        live="parallel",
    )


def _draw(trials: pd.DataFrame, names: Sequence[str]) -> Figure:
    rows = thinned(trials).sort_values("score")
    columns = [*names, "score"]
    position_ND = np.stack([_positions(rows[name]) for name in columns], axis=1)
    figure, (axis,) = new_figure(1, height=4.6)
    points = np.stack([np.broadcast_to(np.arange(len(columns)), position_ND.shape), position_ND], axis=2)
    lines = LineCollection(list(points), cmap=LATER, lw=0.9, alpha=0.65)
    lines.set_array(rows["score"].to_numpy(dtype=float))
    axis.add_collection(lines)
    for place, name in enumerate(columns):
        _draw_coordinate(axis, place, rows[name])
    labels = [name.split(".", 1)[-1].replace(".", "\n") for name in columns]
    axis.set_xticks(range(len(columns)), labels, fontsize=8)
    axis.tick_params(axis="x", length=0, pad=14)
    axis.set(xlim=(-0.4, len(columns) - 0.6), ylim=(OFF - 0.02, 1.02), yticks=[])
    axis.spines[:].set_visible(False)
    axis.patch.set_visible(False)
    figure.colorbar(lines, ax=axis, label="score", pad=0.01)
    return figure


def _draw_coordinate(axis: Axes, place: int, column: pd.Series) -> None:
    """A vertical line with the lowest and the highest level at its ends."""
    levels = _levels(column)
    axis.plot([place, place], [0, 1], color=GREY, lw=0.8)
    if column.isna().any():
        axis.text(place + 0.06, OFF, "off", ha="left", va="center", fontsize=8)
    if levels:
        axis.text(place, OFF - 0.04, level_text(levels[0]), ha="center", va="top", fontsize=8)
        axis.text(place, 1.04, level_text(levels[-1]), ha="center", va="bottom", fontsize=8)


def _levels(column: pd.Series) -> list[object]:
    return sorted(column.dropna().unique().tolist(), key=lambda value: (isinstance(value, str), value))


def _positions(column: pd.Series) -> NDArray[np.float64]:
    """Place of each value among those that occur, in [0, 1]; the score by value; ``OFF`` where inactive."""
    if column.name == "score":
        values = column.to_numpy(dtype=float)
        return np.asarray((values - values.min()) / (np.ptp(values) or 1.0))
    levels = _levels(column)
    place = {level: index / max(1, len(levels) - 1) for index, level in enumerate(levels)}
    return np.array([place.get(value, OFF) for value in column])
