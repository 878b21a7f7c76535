"""List what candidates and reports can be made of: knobs, what each supports, where it can be chosen."""

import argparse
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from search.commands._listed import listed
from search.words import program
from spaces import components

EXAMPLE = "components ingredient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A kind of component that is listed.

    Attributes:
        kind: where its files are.
        features: the constant with the features that each offers or supports; None where there is none.
        has_paper: whether each states its ``PAPER``.
    """

    kind: components.Kind
    features: str | None = None
    has_paper: bool = False

    def describe(self, name: str) -> dict[str, str]:
        """What is known of a component, by what it is: knobs, what it supports, where it can be chosen, its paper."""
        from search.commands._reach import places  # it makes every space

        described = {
            "knobs": self._knobs(name),
            "supports": ", ".join(components.constant(self.kind, name, self.features)) if self.features else "",
            "chosen in": ", ".join(places(self.kind, name)),
            "paper": str(components.constant(self.kind, name, "PAPER")) if self.has_paper else "",
        }
        return {key: value for key, value in described.items() if value}

    def _knobs(self, name: str) -> str:
        defaults = components.parameters(self.kind, name).defaults
        return ", ".join(_knob(key, value) for key, value in defaults.items() if key not in SUPPLIED)


KINDS = {
    "backbone": Listing(kind=components.BACKBONES, features="FEATURES"),
    "objective": Listing(kind=components.OBJECTIVES, features="SUPPORTS", has_paper=True),
    "ingredient": Listing(kind=components.INGREDIENTS, has_paper=True),
    "adaptation": Listing(kind=components.ADAPTATIONS, has_paper=True),
    "evaluation": Listing(kind=components.EVALUATIONS, has_paper=True),
    "protocol": Listing(kind=components.PROTOCOLS, has_paper=True),
    "data": Listing(kind=components.SOURCES),
    "pictures": Listing(kind=components.PICTURES, has_paper=True),
    "layout": Listing(kind=components.LAYOUTS, has_paper=True),
    "section": Listing(kind=components.SECTIONS),
}
"""Kinds that are listed, by the word that names each on the command line."""

SUPPLIED = components.OFFERED | frozenset(
    {"network", "plan", "splits", "root", "classes", "channels", "known_NF", "class_N", "query_MF", "evidence"}
)
"""Parameters that the search or the training loop supplies, which are no knobs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("kind", nargs="?", choices=sorted(KINDS), help="one kind in full; without it, a line for each")


def run(arguments: argparse.Namespace) -> None:
    """Print the components of all kinds, a line each, or of one kind all that is known of each.

    That is its name, summary, knobs with their defaults, what it supports, who offers it, and its paper.
    """
    console = Console(highlight=False)
    if arguments.kind is None:
        console.print(_everything())
        return
    listing = KINDS[arguments.kind]
    for name in components.names(listing.kind):
        console.print(name, style="bold")
        console.print(Padding(components.summary(listing.kind, name), (0, 0, 0, 2)))
        console.print(listed(listing.describe(name)))
        console.print()


def _everything() -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, caption_justify="left")
    table.caption = f"{program()} {EXAMPLE}: the knobs of each, where it can be chosen, its paper"
    for column in ("kind", "name", "what it is"):
        table.add_column(column, no_wrap=column != "what it is")
    for kind, listing in KINDS.items():
        for component in components.names(listing.kind):
            table.add_row(kind, component, components.summary(listing.kind, component))
    return table


def _knob(name: str, default: Any) -> str:
    return name if default is components.NO_DEFAULT else f"{name}={default}"
