"""Pictures of a replay: one figure per measure, one panel per table, one line per sampler."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

TITLES = {
    "family_regret": "family regret (lower is better)",
    "regret": "regret, single objective (lower is better)",
    "hypervolume": "hypervolume (higher is better)",
}


def draw(summary: pd.DataFrame, out: Path) -> list[Path]:
    """Write ``MEASURE.png`` for each measure of ``TITLES`` that the summary has; return what was written."""
    written = []
    for measure, title in TITLES.items():
        rows = summary[summary.measure == measure]
        if len(rows):
            path = out / f"{measure}.png"
            _figure(rows, title).savefig(path, dpi=120)
            written.append(path)
    return written


def _figure(rows: pd.DataFrame, title: str) -> Figure:
    names = list(dict.fromkeys(rows.table))
    columns = min(4, len(names))
    height = -(-len(names) // columns)
    figure = Figure(figsize=(4 * columns, 3 * height), layout="constrained")
    axes = np.atleast_1d(figure.subplots(height, columns)).ravel()
    for axis, name in zip(axes, names, strict=False):
        for sampler, line in rows[rows.table == name].groupby("sampler", sort=False):
            line = line.sort_values("trials")
            axis.errorbar(line.trials, line["mean"], yerr=line.stderr.fillna(0.0), label=str(sampler), capsize=2)
        axis.set(title=name, xlabel="trials", xscale="log")
        counts = sorted({int(count) for count in rows[rows.table == name].trials})
        axis.set_xticks(counts, labels=[str(count) for count in counts])
        axis.minorticks_off()
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    axes[0].legend(fontsize=8)
    figure.suptitle(title)
    return figure
