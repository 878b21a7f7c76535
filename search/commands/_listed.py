"""Names and what there is to say of each, for terminals of any width."""

from collections.abc import Mapping

from rich.table import Table


def listed(described: Mapping[str, str]) -> Table:
    """A name a row, indented, and its words beside it; words go on below, a name that is cut could not be typed."""
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for name, words in described.items():
        shown.add_row(f"  {name}", words)
    return shown
