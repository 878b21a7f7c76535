"""Lines and tables of plain text, which terminals wrap and scripts read."""

from collections.abc import Sequence

from rich.console import Console


def say(text: str) -> None:
    """One line for people, as it is."""
    Console(highlight=False, soft_wrap=True, markup=False).print(text)


def tell(text: str) -> None:
    """A sentence, broken between words where it is a terminal."""
    console = Console(highlight=False, markup=False)
    console.print(text, soft_wrap=not console.is_terminal)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines, the first a header, without columns that nothing is in; shorter rows end with words."""
    header, whole = rows[0], [row for row in rows if len(row) == len(rows[0])]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    shown = [column for column in range(len(header)) if any(row[column] for row in whole[1:])] or [0]
    rows = [tuple(row[column] for column in shown) if len(row) == len(header) else row for row in rows]
    widths = [widths[column] for column in shown]
    widths[0] = max(len(row[0]) for row in rows)
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
