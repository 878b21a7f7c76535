"""How a run ends: by a signal, a mistake or a fault, which its log names; or with a family, which is shown."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from search.errors import Fault, keep_trace
from search.experiment.progress import Progress
from search.family.members import Family, Member
from search.setting.config import Config
from search.words import amount
from spaces.mistake import Mistake


@contextlib.contextmanager
def logged(progress: Progress) -> Iterator[None]:
    """However the run ends, its log says why.

    Raises:
        Fault: in place of what is neither a user's mistake nor an interruption.
    """
    assert progress.log is not None
    try:
        yield
    except Mistake as mistake:
        progress.note(f"error: {mistake}")
        raise
    except KeyboardInterrupt as interrupt:
        name = signal.Signals(interrupt.args[0] if interrupt.args else signal.SIGINT).name
        progress.note(f"stopped by {name}; 'python -m search resume' goes on")
        raise
    except Exception as error:
        raise Fault(keep_trace(error, progress.log)) from error


@contextlib.contextmanager
def terminated_is_interrupted() -> Iterator[None]:
    """A polite end (``ray job stop``, a batch system, a terminal that closes) closes everything as Ctrl-C does.

    The interruption's argument is the number of the signal. What ``nohup`` ignores stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Not by way of SIGINT, which a process started in the background by a shell without job control ignores.
        raise KeyboardInterrupt(number)

    heard = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, interrupt) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def show(family: Family, config: Config, to: Path | None = None) -> None:
    """Print the family and where everything is: in the run's folder, or where the family was written ``to``."""
    Console().print(_by_budget(family, config) if family.budgets else _by_member(family, config))
    show_references(family)
    for sentence in family.failures:
        say(sentence)
    folder = config.folder
    models, report = to or folder / "family", (to or folder) / "report.html"
    say(f"models: {models}\nreport: {report}")
    if config.tracking.enabled:
        store = config.tracking.uri or f"sqlite:///{(folder / 'mlflow.db').resolve()}"
        say(f"browse: mlflow ui --backend-store-uri {store}")


def _by_member(family: Family, config: Config) -> Table:
    table = Table("member", "macs", "params", "search accuracy", "test accuracy", title=f"family of {config.name}")
    for member in family.members:
        table.add_row(member.name, *_figures(member))
    return table


def _by_budget(family: Family, config: Config) -> Table:
    """One row a budget: its member, or why it has none of its own."""
    columns = ("budget", "member", "macs", "params", "search accuracy", "test accuracy")
    table = Table(*columns, title=f"family of {config.name}")
    first: dict[str, str] = {}
    for row in family.budgets:
        budget = amount(row.max_macs)
        if row.member is None:
            table.add_row(budget, "none was trained")
        elif row.member in first:
            table.add_row(budget, f"same as {first[row.member]}")
        else:
            first[row.member] = budget
            table.add_row(budget, row.member, *_figures(family.member(row.member)))
    return table


def _figures(member: Member) -> tuple[str, str, str, str]:
    test = "" if member.test_accuracy is None else f"{member.test_accuracy:.4f}"
    return amount(member.macs), amount(member.params), f"{member.search_accuracy:.4f}", test


def show_references(family: Family) -> None:
    """Print what references that were trained as long reach, and what searching brought beside them."""
    if not family.references:
        return
    table = Table("reference", "macs", "search accuracy", "test accuracy", title="written by hand, trained as long")
    for one in family.references:
        table.add_row(one.name, amount(one.macs), f"{one.search_accuracy:.4f}", f"{one.test_accuracy:.4f}")
    Console().print(table)
    compared = [(member.name, member.compared) for member in family.members if member.compared is not None]
    for name, comparison in compared:
        say(f"{name}: {comparison.sentence}")
    for note in dict.fromkeys(comparison.note for _, comparison in compared):
        say(f"{note}.")


def say(text: str) -> None:
    """One line for people, as it is."""
    Console(highlight=False, soft_wrap=True, markup=False).print(text)
