"""How figures are drawn for the page: one style, and figures as SVG elements. No global state, no window.

Text and axes are drawn in ``INK``, which ``svg`` turns into the page's own text colour, so that one picture serves
light and dark pages.
"""

import html
import io
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#010203"
BLUE, ORANGE, GREEN, PURPLE, GREY = "#3d85c6", "#e07b00", "#2a9d6f", "#a45fc4", "#8d949e"

LATER = colors.LinearSegmentedColormap.from_list("later", ["#7d5bd6", GREEN, "#eda100"])
"""From low or early to high or late, for lines: no end vanishes on a white or a black page."""

FULL_WIDTH = 10.0
"""Inches of a figure that is as wide as the page."""

MOST_LINES = 300
"""Trials drawn as single lines or points; of more, an even selection is drawn, and the text says so."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fixed",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def new_figure(
    columns: int, width: float = FULL_WIDTH, height: float = 3.6, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure of that many inches, and its axes row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(np.ravel(figure.subplots(rows, columns)))


def thinned(trials: pd.DataFrame) -> pd.DataFrame:
    """Every k-th trial, so that at most ``MOST_LINES`` are left."""
    return trials.iloc[:: max(1, math.ceil(len(trials) / MOST_LINES))]


def level_text(level: object) -> str:
    """A value of a dimension as a label."""
    return f"{level:.3g}" if isinstance(level, float) else str(level)


def svg(figure: Figure, prefix: str, description: str) -> str:
    """The figure as an SVG element for an HTML page: described for screen readers, scaled to the page's width.

    Args:
        figure: drawn inside ``style()``.
        prefix: unique on the page; starts every id of the element.
        description: what the figure shows, in words.
    """
    stream = io.StringIO()
    with style():
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _without_repeated_ids(re.sub(r'\bid="', f'id="{prefix}-', text))
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = re.sub(INK, "currentColor", text)
    head = f'<svg role="img" aria-label="{html.escape(description)}"'
    # Width and height in points would keep it from following the page; the viewBox has its proportions.
    opening = re.sub(r'\s(width|height)="[^"]*"', "", text[: text.index(">")])
    return opening.replace("<svg", head, 1) + text[text.index(">") :]


def _without_repeated_ids(text: str) -> str:
    """Matplotlib names an image by its pixels, so that one image drawn twice has its id twice."""
    seen: set[str] = set()

    def first_only(match: re.Match[str]) -> str:
        if match[0] in seen:
            return ""
        seen.add(match[0])
        return match[0]

    return re.sub(r' id="[^"]*"', first_only, text)


@contextmanager
def style() -> Iterator[None]:
    """The context in which figures are drawn and saved.

    Names in any script are the browser's to draw: what the fonts of this machine lack is no matter, and a dollar sign
    begins no formula.
    """
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
