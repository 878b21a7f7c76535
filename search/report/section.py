"""What a section of the report consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of one network, as plain text.

    Attributes:
        anchor: unique on the page; what links and clicks lead to.
        title: of the card.
        facts: values by what they are.
        text: sentences.
        details: further values by what they are, folded.
    """

    anchor: str
    title: str
    facts: Mapping[str, str]
    text: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Sentences, a figure, cards and a table below one heading; whatever is empty is left out of the page.

    Attributes:
        text: sentences, as plain text.
        figure: drawn in the page's style (``search.report.drawing``); one of ``FULL_WIDTH`` inches is as wide as the
            page, a narrower one takes its share.
        description: what the figure shows, in words, for those who cannot see it.
        caption: sentences below the figure.
        cards: one a network.
        table: shown without its index and without columns of which nothing is known.
        table_title: what the table is called where it is folded; a table without a title is open.
        digits: significant digits of the table's fractions.
        live: name of the view in ``live.js`` that stands for figure and table where scripts run; none if empty.

    Raises:
        ValueError: a figure has no description.
    """

    text: str = ""
    figure: Figure | None = None
    description: str = ""
    caption: str = ""
    cards: tuple[Card, ...] = ()
    table: pd.DataFrame | None = None
    table_title: str = ""
    digits: int = DIGITS
    live: str = ""

    def __post_init__(self) -> None:
        if self.figure is not None and not self.description:
            raise ValueError("a figure of the report needs a description for those who cannot see it")
