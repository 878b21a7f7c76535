"""What a section of the report consists of."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Section:
    """Sentences, a figure and a table below one heading; whatever is empty is left out of the page.

    Attributes:
        text: sentences, as plain text.
        figure: drawn in the page's style (``search.report.drawing``); one of ``FULL_WIDTH`` inches is as wide as the
            page, a narrower one takes its share.
        description: what the figure shows, in words, for those who cannot see it.
        caption: sentences below the figure.
        table: shown without its index.
        table_title: what the table is called where it is folded; a table without a title is open.
        digits: significant digits of the table's fractions.

    Raises:
        ValueError: a figure has no description.
    """

    text: str = ""
    figure: Figure | None = None
    description: str = ""
    caption: str = ""
    table: pd.DataFrame | None = None
    table_title: str = ""
    digits: int = DIGITS

    def __post_init__(self) -> None:
        if self.figure is not None and not self.description:
            raise ValueError("a figure of the report needs a description for those who cannot see it")
