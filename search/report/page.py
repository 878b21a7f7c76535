"""``report.html``: one file that loads nothing. Its sections are the files of ``sections/``.

Without scripts, and on paper, it is text, tables and pictures; where scripts run, ``live.js`` puts views that answer in
the place of some of them.
"""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd

from search.files import write_text
from search.report.drawing import FULL_WIDTH, style, svg
from search.report.evidence import Evidence
from search.report.headline import sentences, small_print
from search.report.importance import scored
from search.report.live import live_data, packed_library, script
from search.report.section import Card, Section
from search.report.slide import PICTURES, save_slide, slide_figure
from search.words import duration, named
from spaces import components
from spaces.candidate import ROLES

__all__ = ["PICTURES", "write_report"]

PAGE_REM = 68.0
"""Width of the page, in the unit of its style sheet."""

LEAST_REM = 32.0
"""Width of a figure as wide as the page below which its letters are too small: narrower windows scroll it."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A section as the template shows it: figure and table are HTML, and empty where there is none."""

    anchor: str
    title: str
    text: str
    picture: str
    width: str
    least_width: str
    caption: str
    cards: tuple[Card, ...]
    table: str
    table_title: str
    live: str


def write_report(evidence: Evidence, path: Path) -> None:
    """Write the report, and the picture at its top as ``PICTURES`` beside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    outcome, blocks = sentences(evidence), list(_blocks(evidence))
    with style():
        slide = svg(slide_figure(evidence), "slide", "Accuracy against macs of the family and its references")
    page = environment.get_template("report.html.j2").render(
        name=evidence.name,
        asked=evidence.asked,
        sentences=outcome,
        small_print=small_print(evidence),
        slide=slide,
        css=_asset("report.css"),
        script=script(),
        data=live_data(evidence),
        library=packed_library() if any(block.live for block in blocks) else "",
        settings=evidence.settings,
        summary=_summary(evidence),
        sections=blocks,
        written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        notices=(*evidence.notices, *_data_notices(evidence)),
        searched=named(_roles(evidence.trials)),
    )
    save_slide(evidence, _slide_title(evidence), path.parent)
    write_text(path, page)


def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _blocks(evidence: Evidence) -> Iterator[Block]:
    """The sections that have something to show, in order."""
    modules = {name: components.load(components.SECTIONS, name) for name in components.names(components.SECTIONS)}
    for anchor, module in sorted(modules.items(), key=lambda item: (item[1].ORDER, item[0])):
        with style():
            section: Section | None = module.section(evidence)
        if section is not None:
            yield _block(section, anchor, module.TITLE)


def _block(section: Section, anchor: str, title: str) -> Block:
    figure = section.figure
    return Block(
        anchor=anchor,
        title=title,
        text=section.text,
        picture="" if figure is None else svg(figure, anchor, section.description),
        least_width="0" if figure is None else f"{figure.get_figwidth() / FULL_WIDTH * LEAST_REM:.4g}rem",
        width="100%" if figure is None else f"{figure.get_figwidth() / FULL_WIDTH * PAGE_REM:.4g}rem",
        caption=section.caption,
        cards=section.cards,
        table="" if section.table is None else _table_html(section.table, section.digits),
        table_title=section.table_title,
        live=section.live,
    )


def _summary(evidence: Evidence) -> dict[str, str]:
    counts = evidence.trials["state"].value_counts()
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    best = scored(evidence.trials)["score"]
    return {
        "trials": f"{len(evidence.trials)} ({states})" if len(counts) else "0",
        "best trial": f"{best.max():.4f}" if len(best) else "none",
        "members": str(len(evidence.family)),
        "time": duration(float(evidence.stages["seconds"].sum())),
    }


def _roles(trials: pd.DataFrame) -> list[str]:
    """Roles that the trials have dimensions of; a run without trials may be of any."""
    return [role for role in ROLES if trials.columns.str.startswith(f"{role}.").any()] or list(ROLES)


def _slide_title(evidence: Evidence) -> str:
    """What the picture says, or what it is of."""
    found = sentences(evidence)
    return found[1] if len(found) > 1 and evidence.compared else f"{evidence.name}: accuracy against macs"


def _data_notices(evidence: Evidence) -> list[str]:
    """What a stranger must know of the test images to read an accuracy."""
    if evidence.family.empty or not len(evidence.test):
        return []
    images_K = np.bincount(evidence.test.label_N, minlength=len(evidence.classes))
    largest, empty = int(images_K.argmax()), [evidence.classes[k] for k in np.flatnonzero(images_K == 0)]
    share = images_K[largest] / images_K.sum()
    notices = []
    if share > max(0.5, 1.5 / len(images_K)):
        notices.append(
            f"Always naming {evidence.classes[largest]} would be right on {share:.0%} of the test images: look at the "
            "balanced accuracy, which counts each class alike"
        )
    if empty:
        notices.append(f"No test image of {named(empty[:5])}{' and others' * (len(empty) > 5)}")
    return notices


def _table_html(table: pd.DataFrame, digits: int) -> str:
    def cell(value: object) -> str:
        if isinstance(value, float):
            if math.isnan(value):
                return "–"
            return f"{int(value):,}" if value.is_integer() and abs(value) >= 1000 else f"{value:.{digits}g}"
        return f"{value:,}" if isinstance(value, int) and abs(value) >= 1000 else str(value)

    known = table.dropna(axis=1, how="all").astype(object)
    html = known.map(cell).to_html(index=False, border=0, classes="data", justify="left")
    return html.replace("<th>", '<th scope="col">')
