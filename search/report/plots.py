"""Pictures of a run, one function each: tables in, a matplotlib figure out."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colors, ticker
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from search.problem.front import pareto_front
from search.report.drawing import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, new_figure, style
from search.report.importance import Importance, Interaction, addresses, scored
from spaces.candidate import ROLES

LATER = colors.LinearSegmentedColormap.from_list("later", ["#7d5bd6", GREEN, "#eda100"])
"""From low or early to high or late, for lines: no end vanishes on a white or a black page."""

WRONG = colors.LinearSegmentedColormap.from_list("wrong", [colors.to_rgba(ORANGE, 0.06), colors.to_rgba(ORANGE, 1.0)])
"""From the page's own colour to orange."""

LABELS = {
    "macs": "macs of one image",
    "params": "parameters",
    "activations": "activations of one image",
    "latency_ms": "latency, ms",
}

OFF = -0.12
"""Where parallel coordinates show that a dimension is switched off: below its lowest value."""

MOST_LINES = 300
"""Trials drawn as single lines; of more, every k-th is drawn, and the caption says so."""


def fronts(trials: pd.DataFrame, family: pd.DataFrame, costs: Sequence[str]) -> Figure:
    """Accuracy against each cost: every scored trial, the front of the trials, and the family."""
    rows = scored(trials)
    figure, axes = new_figure(len(costs), height=3.8)
    for axis, cost in zip(axes, costs, strict=True):
        known = rows[rows[cost].notna()]
        axis.scatter(known[cost], known["score"], s=14, color=GREY, alpha=0.6, linewidths=0, label="trial")
        front = known.iloc[pareto_front(known[cost], known["score"])]
        axis.step(front[cost], front["score"], where="post", color=BLUE, lw=1.6, label="front of the trials")
        if len(family):
            axis.plot(
                family[cost], family["search_accuracy"], "*", ms=12, color=ORANGE, mec="none",
                label="family, fully trained",
            )  # fmt: skip
        axis.set(xscale="log", xlabel=LABELS.get(cost, cost), ylim=(_floor(known["score"]), None))
        _plain_log_ticks(axis)
    axes[0].set_ylabel("accuracy on search-validation")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def _floor(score: pd.Series) -> float | None:
    """Lowest accuracy shown: a few trials that failed to learn must not flatten the front; None shows all."""
    low, high = float(score.quantile(0.1)), float(score.max())
    floor = low - 0.5 * (high - low)
    return floor if float(score.min()) < floor else None


def _plain_log_ticks(axis: Axes) -> None:
    """Some values of each power of ten, the fewer the more powers there are, with k, M and G."""
    low, high = axis.get_xlim()
    decades = math.log10(high / low)
    steps = (1.0, 2.0, 5.0) if decades < 1.5 else (1.0, 3.0) if decades < 3 else (1.0,)
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=steps, numticks=12))
    axis.xaxis.set_major_formatter(ticker.EngFormatter(sep="", places=None))
    axis.xaxis.set_minor_locator(ticker.NullLocator())


def save_front(trials: pd.DataFrame, family: pd.DataFrame, path: Path) -> None:
    """The front of accuracy against macs as a PNG picture on white."""
    with style():
        figure = fronts(trials, family, ["macs"])
        figure.set_size_inches(6.4, 4.4)
        figure.savefig(path, format="png", dpi=150, facecolor="white")


def rounds(table: pd.DataFrame, regret: pd.DataFrame) -> Figure:
    """Kendall tau on held-out trials by the number of trials trained on, and regret by trial."""
    figure, (left, right) = new_figure(2)
    lines = {"tau": ("with pretraining", BLUE, "o-"), "tau_without_pretraining": ("without pretraining", ORANGE, "s--")}
    for column, (label, colour, marks) in lines.items():
        if column in table:
            known = table[table[column].notna()]
            left.plot(known["trained"], known[column], marks, color=colour, label=label, ms=5)
    left.axhline(0, color=GREY, lw=0.8)
    left.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    left.set(xlabel="trials known to the predictor", ylabel="Kendall tau on the round's new trials")
    if left.get_legend_handles_labels()[0]:
        left.legend()
    right.step(regret["trials"], regret["regret"], where="post", color=GREEN)
    right.set(xlabel="trials", ylabel="mean regret over the family's budgets", ylim=(0, None))
    return figure


def importances(found: Importance, most: int = 15) -> Figure:
    """Importance of each dimension with its standard error."""
    top = found.table.head(most).iloc[::-1]
    figure, (axis,) = new_figure(1, height=0.9 + 0.28 * len(top))
    colours = dict(zip(ROLES, (BLUE, ORANGE, PURPLE, GREEN), strict=True))
    roles = [address.partition(".")[0] for address in top["address"]]
    axis.barh(
        top["address"], top["mean"], xerr=top["std"], color=[colours[role] for role in roles], ecolor=GREY, height=0.65
    )
    axis.axvline(0, color=GREY, lw=0.8)
    axis.set(xlabel="drop in R² on held-out trials when its values are shuffled (bar: one standard deviation)")
    kinds = [Patch(color=colour, label=role) for role, colour in colours.items() if role in roles]
    axis.legend(handles=kinds, loc="lower right")
    return figure


def interactions(found: Interaction, effect: pd.DataFrame, training: str = "recipe") -> Figure:
    """What architecture, training and only their pair explain, and the mean score by the strongest dimension of each.

    Args:
        found: the shares.
        effect: mean scores by both.
        training: what besides the architecture was searched.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    shares = {
        "architecture": found.architecture,
        training.replace(", ", ",\n").replace(" and ", "\nand "): found.recipe,
        "only the pair": found.both,
    }
    bars = left.bar(list(shares), list(shares.values()), color=[BLUE, ORANGE, PURPLE], width=0.6)
    left.bar_label(bars, fmt="{:.0%}", color=INK)
    left.set(ylim=(0, 1.05), ylabel="share of the predicted variance", title="who explains the score")
    left.yaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0))
    image = right.imshow(effect.to_numpy(dtype=float), cmap="viridis", aspect="auto")
    right.set(ylabel=str(effect.index.name), xlabel=str(effect.columns.name), title="mean score of the trials")
    right.set_xticks(range(effect.shape[1]), [_short(value) for value in effect.columns], rotation=30, ha="right")
    right.set_yticks(range(effect.shape[0]), [_short(value) for value in effect.index])
    figure.colorbar(image, ax=right)
    return figure


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _thinned(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.iloc[:: max(1, math.ceil(len(trials) / MOST_LINES))]


def parallel(trials: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Parallel coordinates of the named dimensions and the score; the better half is drawn on top."""
    rows = _thinned(scored(trials)).sort_values("score")
    columns = [*names, "score"]
    position_ND = np.stack([_positions(rows[name]) for name in columns], axis=1)
    figure, (axis,) = new_figure(1, height=4.6)
    points = np.stack([np.broadcast_to(np.arange(len(columns)), position_ND.shape), position_ND], axis=2)
    lines = LineCollection(list(points), cmap=LATER, lw=0.9, alpha=0.65)
    lines.set_array(rows["score"].to_numpy(dtype=float))
    axis.add_collection(lines)
    for place, name in enumerate(columns):
        axis.plot([place, place], [0, 1], color=GREY, lw=0.8)
        if rows[name].isna().any():
            axis.text(place + 0.06, OFF, "off", ha="left", va="center", fontsize=8)
        axis.text(place, OFF - 0.04, _end(rows[name], 0), ha="center", va="top", fontsize=8)
        axis.text(place, 1.04, _end(rows[name], -1), ha="center", va="bottom", fontsize=8)
    labels = [name.split(".", 1)[-1].replace(".", "\n") for name in columns]
    axis.set_xticks(range(len(columns)), labels, fontsize=8)
    axis.tick_params(axis="x", length=0, pad=14)
    axis.set(xlim=(-0.4, len(columns) - 0.6), ylim=(OFF - 0.02, 1.02), yticks=[])
    axis.spines[:].set_visible(False)
    axis.patch.set_visible(False)
    figure.colorbar(lines, ax=axis, label="score", pad=0.01)
    return figure


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


def _end(column: pd.Series, which: int) -> str:
    levels = _levels(column)
    return _short(levels[which]) if levels else ""


def curves(epochs: pd.DataFrame, trials: pd.DataFrame) -> Figure:
    """Accuracy by epoch of every trial, coloured by round, with a dot where it stopped."""
    figure, (axis,) = new_figure(1, height=3.8)
    rows = _thinned(trials[trials["number"].isin(epochs["number"])])
    chosen = epochs[epochs["number"].isin(rows["number"])].sort_values("epoch")
    paths = [group[["epoch", "accuracy"]].to_numpy() for _, group in chosen.groupby("number")]
    by_number = rows.set_index("number")["round"]
    last = chosen.groupby("number").tail(1)
    first, latest = int(by_number.min()), int(by_number.max())
    scale = colors.Normalize(first, max(latest, first + 1))
    lines = LineCollection(paths, cmap=LATER, norm=scale, lw=0.8, alpha=0.6)
    lines.set_array([by_number[number] for number in sorted(set(chosen["number"]))])
    axis.add_collection(lines)
    axis.scatter(
        last["epoch"], last["accuracy"], c=[by_number[number] for number in last["number"]], cmap=LATER,
        norm=scale, s=14, linewidths=0, label="end of a trial",
    )  # fmt: skip
    axis.autoscale_view()
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axis.set(xlabel="epoch", ylabel="accuracy on search-validation")
    axis.legend(loc="lower right")
    if latest > first:
        figure.colorbar(lines, ax=axis, label="round", ticks=ticker.MaxNLocator(integer=True), pad=0.01)
    return figure


def predictions(trials: pd.DataFrame) -> Figure:
    """Predicted before the trial, with an interval of 90 %, against measured."""
    rows = _thinned(trials[trials["score"].notna() & trials["predicted_mean"].notna()])
    figure, (axis,) = new_figure(1, width=5.6, height=4.6)
    axis.errorbar(
        rows["score"], rows["predicted_mean"], yerr=Z90 * rows["predicted_std"], fmt="o", ms=3.5, color=BLUE,
        ecolor=GREY, elinewidth=0.7, alpha=0.8, label="trial, predicted before it was trained",
    )  # fmt: skip
    ends = [rows["score"].min(), rows["score"].max()]
    axis.plot(ends, ends, color=ORANGE, lw=1.2, label="predicted = measured")
    axis.set(xlabel="measured", ylabel="predicted, with an interval of 90 %")
    axis.legend(loc="upper left")
    return figure


Z90 = 1.6449
"""Half-width of the central 90 % of a standard normal distribution."""


def confusions(tables: Mapping[str, NDArray[np.integer]], classes: Sequence[str]) -> Figure:
    """Confusion of each member by shares of the true class; the diagonal is left out, so that mistakes are visible."""
    columns = min(3, len(tables))
    rows = math.ceil(len(tables) / columns)
    figure, axes = new_figure(columns, height=3.5 * rows, rows=rows)
    shares = {name: table / np.maximum(table.sum(axis=1, keepdims=True), 1) for name, table in tables.items()}
    wrong = {name: np.where(np.eye(len(share), dtype=bool), np.nan, share) for name, share in shares.items()}
    highest = max(0.01, max((float(np.nanmax(share)) for share in wrong.values() if share.size > 1), default=0.01))
    image = None
    for axis, (name, share) in zip(axes, wrong.items(), strict=False):
        image = axis.imshow(share, cmap=WRONG, vmin=0, vmax=highest)
        axis.set(title=name, xlabel="predicted", ylabel="true")
        if len(classes) <= 20:
            axis.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0, fontsize=8)
            axis.set_yticks(range(len(classes)), classes, fontsize=8)
    for axis in axes[len(tables) :]:
        axis.set_visible(False)
    if image is not None:
        figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def stages(table: pd.DataFrame) -> Figure:
    """Seconds of each stage, in order."""
    figure, (axis,) = new_figure(1, height=0.8 + 0.32 * len(table))
    bars = axis.barh(table["name"], table["seconds"], color=BLUE, height=0.6)
    axis.bar_label(bars, fmt="{:.1f} s", padding=3, color=INK)
    axis.invert_yaxis()
    axis.set(xlabel="seconds")
    axis.margins(x=0.12)
    return figure


def dimensions_to_show(trials: pd.DataFrame, found: Importance | None, most: int = 9) -> list[str]:
    """The most important dimensions, or the first ones if nothing is known of their importance."""
    if found is None:
        return addresses(scored(trials))[:most]
    return [str(address) for address in found.table["address"].head(most)]
