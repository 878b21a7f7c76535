"""List the spaces, or show one: its size, what its candidates cost, and some of them."""

import argparse
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from search.commands._arguments import at_least_one, seed
from search.commands._listed import listed
from search.errors import UsageError
from search.words import amount, rounded
from spaces.candidate import ROLES, Candidate
from spaces.components import BACKBONES, SPACES, load, names
from spaces.joined import FAMILY
from spaces.sampling import uniform
from spaces.space import Codes, Space, describe, size_of
from trainables.counting.counts import Counts, Statistics
from trainables.counting.statistics import count

EXAMPLE = "spaces tiny --sample 3"
PERCENTILES = (5, 50, 95)
DRAWS, LISTED_DRAWS = 2_000, 500
"""Candidates counted for the percentiles of one space, and of each in the list, which is to appear at once."""
SMALL = 64
"""Images below this many pixels are taken to have ten classes, others a thousand."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``spaces``."""
    parser.add_argument("space", nargs="?", help="a space to show in full; all are listed without it")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="show N random candidates of the space")
    parser.add_argument("--seed", type=seed, default=0, help="of the random candidates")
    parser.add_argument(
        "--draws",
        type=int,
        help=f"candidates counted for the percentiles (default: {DRAWS:,} of one space, {LISTED_DRAWS} of each listed)",
    )
    parser.add_argument(
        "--classes", type=at_least_one, help="classes of the classifier (default: 10 for tiny images, else 1000)"
    )
    parser.add_argument("--channels", type=at_least_one, default=3, help="channels of the images")


def run(arguments: argparse.Namespace) -> None:
    """Print all spaces, or one in full with some of its candidates.

    Raises:
        UnknownComponent: no such space.
        UsageError: a negative number of candidates, or a sample without a space.
    """
    draws = arguments.draws if arguments.draws is not None else LISTED_DRAWS if arguments.space is None else DRAWS
    if arguments.sample < 0 or draws < 1:
        raise UsageError(f"--sample needs 0 or more and --draws 1 or more, given {arguments.sample} and {draws}")
    if arguments.space is None and arguments.sample:
        raise UsageError(f"--sample needs the name of a space: {', '.join(names(SPACES))}")
    console = Console(highlight=False)
    images = Images(classes=arguments.classes, channels=arguments.channels)
    if arguments.space is None:
        console.print(table(images, draws, arguments.seed))
    else:
        show(console, load(SPACES, arguments.space).space(), images, draws, arguments.sample, arguments.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What the networks are for; ``classes`` None stands for what is usual at a space's resolution."""

    classes: int | None
    channels: int

    def classes_in(self, space: Space) -> int:
        """The classes of a space's networks."""
        if self.classes is not None:
            return self.classes
        addresses = [address for address in space.addresses if address.endswith("resolution")]
        sizes = [float(value) for address in addresses for value in space.dimension(address).values]
        return 10 if sizes and max(sizes) < SMALL else 1000

    def counts(self, space: Space, codes_ND: Codes) -> Counts:
        """The costs of candidates."""
        return count(space, codes_ND, classes=self.classes_in(space), channels=self.channels)


def table(images: Images, draws: int, seed: int) -> Table:
    """A line for each space; costs of ``draws`` uniform candidates, 5 to 95 %, where there are formulas for them."""
    caption = "candidates: networks with all recipes; macs, params: of nine tenths of them (-: known once built)"
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, caption=caption, caption_justify="left")
    for column in ("space", "backbones", "networks", "candidates", "macs", "params"):
        shown.add_column(column, no_wrap=column != "backbones")  # a name that is cut cannot be typed
    for name in names(SPACES):
        space: Space = load(SPACES, name).space()
        costs = ("-", "-")  # its networks would be built now, a second or more each
        if not traced(space):
            counts = images.counts(space, uniform(space, draws, np.random.default_rng(seed)))
            costs = (_most(counts.macs_N), _most(counts.params_N))
        shown.add_row(
            name,
            ", ".join(_backbones(space)),
            f"{space.count('architecture'):.2g}",
            f"{space.count():.2g}",
            *costs,
        )
    return shown


def show(console: Console, space: Space, images: Images, draws: int, sample: int, seed: int) -> None:
    """Print a space, the percentiles of ``draws`` uniform candidates, and ``sample`` candidates."""
    if traced(space):
        Console(stderr=True).print("each of its networks is built and run once to be counted, unless it was before")
    counts = images.counts(space, uniform(space, draws, np.random.default_rng(seed)))
    console.print(
        f"{space.name}: {size_of(space)}; backbone {', '.join(_backbones(space))}, objective {space.objective}",
        soft_wrap=True,
    )
    console.print(f"{draws} uniform candidates with {images.classes_in(space)} classes and {images.channels} channels:")
    for cost, cost_N in (*counts.costs().items(), ("resolution", counts.resolution_N)):
        console.print(f"  {cost} at {'/'.join(map(str, PERCENTILES))} %: {_percentiles(cost_N)}")
    _show_dimensions(console, space)
    if sample:
        codes_ND = uniform(space, sample, np.random.default_rng(seed))
        counts = images.counts(space, codes_ND)
        for row, candidate in enumerate(space.decode(codes_ND)):
            console.print(_candidate(candidate, counts[row]))


def _show_dimensions(console: Console, space: Space) -> None:
    """Print the dimensions with their values, those of a condition together below it."""
    for condition, rows in groupby(
        zip(space.addresses, space.dimensions, strict=True), key=lambda row: space.conditions.get(row[0])
    ):
        when = f"if {condition.parent} is {' or '.join(map(str, condition.values))}" if condition else "always"
        console.print(f"\n{when}", soft_wrap=True)
        console.print(listed({address: describe(dimension) for address, dimension in rows}))
    console.print()


def _candidate(candidate: Candidate, statistics: Statistics) -> Table:
    """One candidate: a line per keyword, the items of a keyword side by side."""
    costs = "  ".join(f"{name} {amount(getattr(statistics, name))}" for name in ("macs", "params", "activations"))
    shown = Table(title=f"{candidate.key}  {candidate.backbone}  {costs}", title_justify="left", show_header=False)
    for role in ROLES:
        rows: dict[str, list[Any]] = {}
        for address, value in getattr(candidate, role).items():
            keyword, _, item = address.partition(".")
            numbered = not item or item.isdigit()
            rows.setdefault(keyword if numbered else address, []).append(value)
        for keyword, values in rows.items():
            shown.add_row(f"{role}.{keyword}", "  ".join(map(str, values)))
    return shown


def traced(space: Space) -> bool:
    """Whether networks of a space are counted by building and running them."""
    return any(load(BACKBONES, backbone).TRACED for backbone in _backbones(space))


def _backbones(space: Space) -> tuple[str, ...]:
    return tuple(map(str, space.dimension(FAMILY).values)) if space.joins_families else (space.backbone,)


def _most(value_N: NDArray[Any]) -> str:
    value_N = np.sort(value_N)  # percentiles between two values would need more of numpy than is imported yet
    least, most = (value_N[len(value_N) * percent // 100] for percent in (PERCENTILES[0], PERCENTILES[-1]))
    return f"{rounded(least)}-{rounded(most)}"


def _percentiles(cost_N: NDArray[Any]) -> str:
    return " / ".join(amount(value) for value in np.percentile(cost_N, PERCENTILES))
