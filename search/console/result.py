"""What came out of a run: a row for each budget, what the intervals rest on, and what one does next."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from search.console.lines import aligned, say, tell
from search.family.comparison import Comparison, wilson
from search.family.members import Family, Member
from search.setting.config import Config
from search.words import amount, fraction, named, program

COLUMNS = ("network", "macs", "test accuracy", "ms", "by hand", "times fewer macs")


def show(family: Family, config: Config, to: Path | None = None) -> None:
    """Print the family and what to do next: with the run's folder, or with the one where it was written ``to``."""
    for line in (f"family of {config.name}", *table(family)):
        say(line)
    sentences = [*notes(family), *family.failures]
    for sentence in ["", *sentences] if sentences else []:
        tell(sentence)
    for line in ("", *next_steps(family, config.folder, to)):
        say(line)


def table(family: Family) -> list[str]:
    """A header, and one row a budget: its member, or why it has none of its own; or a row a member without budgets."""
    rows: list[tuple[str, ...]] = [("budget", *COLUMNS) if family.budgets else COLUMNS]
    first: dict[str, str] = {}
    for row in family.budgets:
        budget = amount(row.max_macs)
        if row.member is None:
            rows.append((budget, "none, since its training failed" if family.failures else "none: nothing fits"))
        elif row.member in first:
            rows.append((budget, f"same network as {first[row.member]}"))
        else:
            first[row.member] = budget
            rows.append((budget, *_measures(family, family.member(row.member))))
    if not family.budgets:
        rows.extend(_measures(family, member) for member in family.members)
    return aligned(rows)


def _measures(family: Family, member: Member) -> tuple[str, ...]:
    latency = "" if member.latency_ms is None else _short(f"{member.latency_ms:.2g}")
    reference = next((one for one in family.references if one.name == _reference_of(member)), None)
    return (
        member.name,
        amount(member.macs),
        _accuracy(family, member),
        latency,
        "" if reference is None else fraction(reference.test_accuracy),
        "" if member.compared is None else _factor(member.compared),
    )


def _reference_of(member: Member) -> str | None:
    return None if member.compared is None else member.compared.reference


def _accuracy(family: Family, member: Member) -> str:
    """On test, with Wilson's interval where the number of images is known."""
    if member.test_accuracy is None:
        return f"{fraction(member.search_accuracy)} (search)"
    images = family.test_images or (0 if member.compared is None else member.compared.images)
    if not images:
        return fraction(member.test_accuracy)
    low, high = wilson(member.test_accuracy, images)
    return f"{fraction(member.test_accuracy)} ({fraction(low)}-{fraction(high)})"


def _factor(compared: Comparison) -> str:
    if compared.itself is not None:
        return "is a reference"
    return _short(compared.times_fewer.replace("above ", ">").replace("below ", "<"))


def _short(figures: str) -> str:
    """Without zeros before the point."""
    return re.sub(r"(?<![\d.])0\.", ".", figures)


def notes(family: Family) -> Iterable[str]:
    """What the table's intervals rest on."""
    compared = [member.compared for member in family.members if member.compared is not None]
    if compared:
        yield (
            "by hand: test accuracy of the reference within the largest budget that the network serves; times fewer "
            "macs: than references of the same accuracy. Intervals are of 95 %."
        )
    yield from dict.fromkeys(f"{one.note}." for one in compared)
    busy = [member.name for member in family.members if member.was_busy]
    if busy:
        of = "its" if len(busy) == 1 else "their"
        yield (
            f"ms: the machine did other work while {named(busy)} ran for {of} latency (quartiles far apart), so that "
            "says little; spreads are in the model cards."
        )


def next_steps(family: Family, folder: Path, to: Path | None = None) -> tuple[str, ...]:
    """Three commands: use the largest network, look at the report, find networks for other budgets."""
    models, report = to or folder / "family", (to or folder) / "report.html"
    budgets = sorted({amount(member.macs * 1.5) for member in family.members})[:1] or ["20M"]
    return (
        f"use it:   python {_quoted(models / family.members[-1].name / 'predict.py')} PHOTO_OR_FOLDER",
        f"look:     {_quoted(report)}",
        f"go on:    {program()} evolve {_quoted(folder)} --max-macs {budgets[0]}",
    )


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
