"""The picture that is shown around: the family beside its references, on images that the search never saw."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.family.comparison import wilson
from search.report.drawing import GREY, ORANGE, PURPLE, new_figure, style
from search.report.evidence import Evidence
from search.report.front import LABELS, front_figure, plain_log_ticks

PICTURES = ("front.png", "front.svg")
"""Files that are written beside the page."""

WIDTH, HEIGHT = 8.0, 4.4
"""Inches."""


def save_slide(evidence: Evidence, title: str, folder: Path) -> None:
    """Write the picture on white, with a title, as ``PICTURES``."""
    with style(), mpl.rc_context({"svg.fonttype": "path"}):
        figure = slide_figure(evidence)
        figure.suptitle(textwrap.fill(title, 88), x=0.02, ha="left", fontsize=11)
        for name in PICTURES:
            kind = name.rpartition(".")[2]
            dates = {"Date": None} if kind == "svg" else {}
            figure.savefig(folder / name, format=kind, dpi=200, facecolor="white", metadata=dates)


def slide_figure(evidence: Evidence) -> Figure:
    """Test accuracy of members and references against macs; before any was tested, trials on search-validation."""
    family = evidence.family[evidence.family["test_accuracy"].notna()]
    if family.empty or not len(evidence.test):
        figure = front_figure(evidence.trials, evidence.family, evidence.references, ["macs"])
        figure.set_size_inches(WIDTH, HEIGHT)
        return figure
    figure, (axis,) = new_figure(1, width=WIDTH, height=HEIGHT)
    images = len(evidence.test)
    references = evidence.references
    if len(references):
        label = "written by hand, trained as long"
        _points(axis, references, images, color=PURPLE, fmt="D", ms=6, label=label)
    _points(axis, family, images, color=ORANGE, fmt="*-", ms=15, lw=1.2, label="found by the search")
    axis.set(xscale="log", xlabel=LABELS["macs"], ylabel=f"right on {images:,} test images")
    axis.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    axis.grid(axis="y", color=GREY, alpha=0.25, lw=0.6)
    plain_log_ticks(axis)
    axis.legend(loc="lower right", title="bars: 95 %", alignment="left")
    return figure


def _points(axis: Axes, networks: pd.DataFrame, images: int, **look: Any) -> None:
    """With Wilson's interval of each accuracy alone."""
    share_N = networks["test_accuracy"].to_numpy(dtype=float)
    bounds_N2 = np.array([wilson(share, images) for share in share_N]).reshape(-1, 2)
    error_2N = np.stack([share_N - bounds_N2[:, 0], bounds_N2[:, 1] - share_N])
    axis.errorbar(networks["macs"], share_N, yerr=error_2N, elinewidth=1, capsize=3, mec="none", alpha=0.9, **look)
