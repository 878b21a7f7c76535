"""List what candidates can be made of: knobs, what each supports, paper."""

import argparse
from inspect import Parameter, signature

from rich.console import Console
from rich.table import Table

from spaces import components

KINDS = {
    "backbone": components.BACKBONES,
    "objective": components.OBJECTIVES,
    "ingredient": components.INGREDIENTS,
    "adaptation": components.ADAPTATIONS,
    "evaluation": components.EVALUATIONS,
    "data": components.SOURCES,
    "pictures": components.PICTURES,
}
"""Kinds that are listed, by the word that names each on the command line."""

SUPPLIED = frozenset({"offer", "network", "plan", "splits", "classes", "channels", "known_NF", "class_N", "query_MF"})
"""Parameters that the search or the training loop supplies, which are no knobs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("kind", nargs="?", choices=sorted(KINDS), help="one kind; all are listed without it")


def run(arguments: argparse.Namespace) -> None:
    """Carry out the command."""
    show(arguments.kind)


def show(kind: str | None, console: Console | None = None) -> None:
    """Print a table of each kind: name, summary, knobs with their defaults, what it supports, paper.

    Args:
        kind: a key of ``KINDS``; None prints all.
        console: where to; the terminal by default.
    """
    console = console or Console()
    for name in [kind] if kind else KINDS:
        table = Table(title=name, title_justify="left", show_lines=True)
        for column in ("name", "what it is", "knobs", "supports", "paper"):
            table.add_column(column, overflow="fold")
        for component in components.names(KINDS[name]):
            table.add_row(component, *describe(KINDS[name], component))
        console.print(table)


def describe(kind: components.Kind, name: str) -> tuple[str, str, str, str]:
    """Summary, knobs, features that it offers or supports, and paper of a component; a dash where there is none."""
    module = components.load(kind, name)
    parameters = signature(getattr(module, kind.defines)).parameters.values()
    knobs = ", ".join(_knob(parameter) for parameter in parameters if parameter.name not in SUPPLIED)
    features = ", ".join(getattr(module, "SUPPORTS", getattr(module, "FEATURES", ())))
    return components.summary(kind, name) or "-", knobs or "-", features or "-", str(getattr(module, "PAPER", "-"))


def _knob(parameter: Parameter) -> str:
    return parameter.name if parameter.default is Parameter.empty else f"{parameter.name}={parameter.default}"
