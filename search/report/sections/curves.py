"""Learning curves of the trials."""

import pandas as pd
from matplotlib import colors, ticker
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from search.report.drawing import LATER, MOST_LINES, new_figure, thinned
from search.report.evidence import Evidence
from search.report.section import Section

ORDER = 80
TITLE = "Learning curves"


def section(evidence: Evidence) -> Section | None:
    """Accuracy by epoch, with the end of each trial."""
    if evidence.curves.empty:
        return None
    lengths = evidence.trials.loc[evidence.trials["epochs_run"] > 0, "epochs_run"]
    text = f"Trials ran {int(lengths.min())} to {int(lengths.max())} epochs, {lengths.mean():.1f} on average."
    if len(lengths) > MOST_LINES:
        text += f" Of {len(lengths)} trials, an even selection is drawn."
    return Section(
        text=text,
        figure=_draw(evidence.curves, evidence.trials),
        description="Accuracy by epoch, with the end of each trial",
        live="curves",
    )


def _draw(epochs: pd.DataFrame, trials: pd.DataFrame) -> Figure:
    """Lines are coloured by round, with a dot where a trial ended."""
    figure, (axis,) = new_figure(1, height=3.8)
    rows = thinned(trials[trials["number"].isin(epochs["number"])])
    shown = epochs[epochs["number"].isin(rows["number"])].sort_values("epoch")
    paths = [group[["epoch", "accuracy"]].to_numpy() for _, group in shown.groupby("number")]
    round_of = rows.set_index("number")["round"]
    last = shown.groupby("number").tail(1)
    first_round, last_round = int(round_of.min()), int(round_of.max())
    scale = colors.Normalize(first_round, max(last_round, first_round + 1))
    lines = LineCollection(paths, cmap=LATER, norm=scale, lw=0.8, alpha=0.6)
    lines.set_array([round_of[number] for number in sorted(set(shown["number"]))])
    axis.add_collection(lines)
    axis.scatter(
        last["epoch"], last["accuracy"], c=[round_of[number] for number in last["number"]], cmap=LATER,
        norm=scale, s=14, linewidths=0, label="end of a trial",
    )  # fmt: skip
    axis.autoscale_view()
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axis.set(xlabel="epoch", ylabel="accuracy on search-validation")
    axis.legend(loc="lower right")
    if last_round > first_round:
        figure.colorbar(lines, ax=axis, label="round", ticks=ticker.MaxNLocator(integer=True), pad=0.01)
    return figure
