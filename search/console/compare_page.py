"""Runs beside each other as a page: one HTML file that loads nothing."""

from collections.abc import Sequence
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from search.console.compare import Finished, bounds, differences, remarks, rows
from search.family.comparison import wilson
from search.files import write_text
from search.report import drawing
from search.report.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, new_figure, style, svg
from search.report.front import plain_log_ticks

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
MARKS = ("o", "s", "^", "D", "v")


def write_page(runs: Sequence[Finished], path: Path) -> None:
    """Write fronts, budgets and settings of runs."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    with style():
        figure = fronts(runs)
    names = ", ".join(run.name for run in runs)
    page = environment.get_template("compare.html.j2").render(
        css=Path(drawing.__file__).with_name("report.css").read_text(encoding="utf-8"),
        names=names,
        remarks=list(remarks(runs)),
        picture=svg(figure, "fronts", f"Test accuracy against macs of the families of {names}"),
        tables={"By budget": rows(runs), "Settings that differ": differences(runs)},
    )
    write_text(path, page)


def fronts(runs: Sequence[Finished]) -> Figure:
    """Test accuracy against macs of every member of each run, with intervals, and the fronts."""
    figure, (axis,) = new_figure(1, height=4.2)
    _, high = bounds(runs)
    for number, run in enumerate(runs):
        colour, mark = COLOURS[number % len(COLOURS)], MARKS[number // len(COLOURS) % len(MARKS)]
        front = run.front
        macs = [*(float(one.macs) for one in front), high]
        accuracies = [one.test_accuracy or 0.0 for one in front]
        axis.step(macs, [*accuracies, accuracies[-1]], where="post", color=colour, lw=1.5)
        for position, member in enumerate(run.tested):
            accuracy = member.test_accuracy or 0.0
            label = run.name if position == 0 else None
            axis.plot([member.macs], [accuracy], mark, ms=6, color=colour, label=label)
            if run.family.test_images:
                axis.vlines(member.macs, *wilson(accuracy, run.family.test_images), color=colour, lw=1, alpha=0.5)
    axis.set(xscale="log", xlabel="macs of one image", ylabel="accuracy on test")
    plain_log_ticks(axis)
    figure.legend(loc="outside upper left", ncols=4)
    return figure
