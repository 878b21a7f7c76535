"""``report.html``: one file without scripts that loads nothing. Its sections are the files of ``sections/``."""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from search.files import write_text
from search.report.drawing import FULL_WIDTH, style, svg
from search.report.evidence import Evidence
from search.report.front import save_front
from search.report.importance import scored
from search.report.section import Section
from search.words import duration, named
from spaces import components
from spaces.candidate import ROLES

PAGE_REM = 68.0
"""Width of the page, in the unit of its style sheet."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A section as the template shows it: figure and table are HTML, and empty where there is none."""

    anchor: str
    title: str
    text: str
    picture: str
    width: str
    caption: str
    table: str
    table_title: str


def write_report(evidence: Evidence, path: Path) -> None:
    """Write the report, and the front as ``front.png`` beside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        name=evidence.name,
        settings=evidence.settings,
        summary=_summary(evidence),
        sections=list(_blocks(evidence)),
        written=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        notices=evidence.notices,
        searched=named(_roles(evidence.trials)),
    )
    save_front(evidence.trials, evidence.family, evidence.references, path.with_name("front.png"))
    write_text(path, page)


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
        width="100%" if figure is None else f"{figure.get_figwidth() / FULL_WIDTH * PAGE_REM:.4g}rem",
        caption=section.caption,
        table="" if section.table is None else _table_html(section.table, section.digits),
        table_title=section.table_title,
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


def _table_html(table: pd.DataFrame, digits: int) -> str:
    def cell(value: object) -> str:
        if isinstance(value, float):
            if math.isnan(value):
                return "–"
            return f"{int(value):,}" if value.is_integer() and abs(value) >= 1000 else f"{value:.{digits}g}"
        return f"{value:,}" if isinstance(value, int) and abs(value) >= 1000 else str(value)

    html = table.astype(object).map(cell).to_html(index=False, border=0, classes="data", justify="left")
    return html.replace("<th>", '<th scope="col">')
