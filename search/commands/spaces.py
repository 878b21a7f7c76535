"""List the spaces, or show one: its size, what its candidates cost, and some of them."""

import argparse
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from search.errors import UsageError
from spaces.candidate import ROLES, Candidate
from spaces.components import SPACES, load, names
from spaces.sampling import uniform
from spaces.space import Space, describe
from trainables.counting.counts import Counts, Statistics
from trainables.counting.statistics import count

PERCENTILES = (5, 50, 95)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("space", nargs="?", help="a space to show in full; all are listed without it")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="show N random candidates of the space")
    parser.add_argument("--seed", type=int, default=0, help="of the random candidates")
    parser.add_argument("--draws", type=int, default=2_000, help="candidates counted for the percentiles")
    parser.add_argument(
        "--classes", type=int, help="classes of the classifier (default: 10 for tiny images, else 1000)"
    )
    parser.add_argument("--channels", type=int, default=3, help="channels of the images")


def run(arguments: argparse.Namespace) -> None:
    """Carry out the command."""
    spaces(
        arguments.space,
        sample=arguments.sample,
        seed=arguments.seed,
        draws=arguments.draws,
        classes=arguments.classes,
        channels=arguments.channels,
    )


def spaces(
    name: str | None,
    *,
    sample: int = 0,
    seed: int = 0,
    draws: int = 2_000,
    classes: int | None = None,
    channels: int = 3,
    console: Console | None = None,
) -> None:
    """Print all spaces, or one in full with ``sample`` of its candidates.

    Args:
        name: file name in ``spaces``; None lists all.
        sample: number of random candidates to show; needs a name.
        seed: of the draws.
        draws: uniform candidates behind the percentiles of macs and params.
        classes, channels: of the data that the networks are for; 1000 classes unless told, 10 below 64 pixels.
        console: where to print; standard output by default.

    Raises:
        UnknownComponent: no such space.
        UsageError: a negative number of candidates, or a sample without a space.
    """
    console = console or Console(highlight=False)
    if sample < 0 or draws < 1:
        raise UsageError(f"--sample needs 0 or more and --draws 1 or more, given {sample} and {draws}")
    if name is None:
        if sample:
            raise UsageError(f"--sample needs the name of a space: {', '.join(names(SPACES))}")
        _list(console, draws, seed, classes, channels)
    else:
        _show(console, load(SPACES, name).space(), sample, seed, draws, classes, channels)


def _list(console: Console, draws: int, seed: int, classes: int | None, channels: int) -> None:
    table = Table("space", "backbone", "dimensions", "architectures", "recipes", "macs 5/50/95 %", "params 5/50/95 %")
    for name in names(SPACES):
        space: Space = load(SPACES, name).space()
        counts = _counted(space, draws, seed, classes, channels)
        table.add_row(
            name,
            ", ".join(_backbones(space)),
            str(len(space.dimensions)),
            f"{space.count('architecture'):.2g}",
            f"{space.count('recipe'):.2g}",
            _percentiles(counts.macs_N),
            _percentiles(counts.params_N),
        )
    console.print(table)


def _show(
    console: Console, space: Space, sample: int, seed: int, draws: int, classes: int | None, channels: int
) -> None:
    counts = _counted(space, draws, seed, classes, channels)
    console.print(
        f"{space.name}: {space.count('architecture'):.3g} architectures x {space.count('recipe'):.3g} recipes, "
        f"backbone {', '.join(_backbones(space))}, objective {space.objective}"
    )
    console.print(f"{draws} uniform candidates with {_classes(space, classes)} classes and {channels} channels:")
    for cost, cost_N in (*counts.costs().items(), ("resolution", counts.resolution_N)):
        console.print(f"  {cost} at {'/'.join(map(str, PERCENTILES))} %: {_percentiles(cost_N)}")
    table = Table("dimension", "values", "only if")
    for address, dimension in zip(space.addresses, space.dimensions, strict=True):
        condition = space.conditions.get(address)
        only = f"{condition.parent} is {' or '.join(map(str, condition.values))}" if condition else ""
        table.add_row(address, describe(dimension), only)
    console.print(table)
    codes_ND = uniform(space, sample, np.random.default_rng(seed))
    if sample:
        counted = count(space, codes_ND, classes=_classes(space, classes), channels=channels)
        for row, candidate in enumerate(space.decode(codes_ND)):
            console.print(_candidate(candidate, counted[row]))


def _candidate(candidate: Candidate, statistics: Statistics) -> Table:
    """One candidate: a line per keyword, the items of a keyword side by side."""
    title = (
        f"{candidate.key}  {candidate.backbone}  macs {_short(statistics.macs)}  params {_short(statistics.params)}  "
        f"activations {_short(statistics.activations)}"
    )
    table = Table(title=title, title_justify="left", show_header=False)
    for role in ROLES:
        rows: dict[str, list[Any]] = {}
        for address, value in getattr(candidate, role).items():
            keyword, _, item = address.partition(".")
            numbered = not item or item.isdigit()
            rows.setdefault(keyword if numbered else address, []).append(value)
        for keyword, values in rows.items():
            table.add_row(f"{role}.{keyword}", "  ".join(map(str, values)))
    return table


def _counted(space: Space, draws: int, seed: int, classes: int | None, channels: int) -> Counts:
    codes_ND = uniform(space, draws, np.random.default_rng(seed))
    return count(space, codes_ND, classes=_classes(space, classes), channels=channels)


def _classes(space: Space, classes: int | None) -> int:
    if classes is not None:
        return classes
    sizes = [value for address in space.addresses if address.endswith("resolution")
             for value in space.dimension(address).values]  # fmt: skip
    return 10 if sizes and max(float(size) for size in sizes) < 64 else 1000


def _backbones(space: Space) -> tuple[str, ...]:
    return tuple(map(str, space.architecture["backbone"].values)) if space.joins_families else (space.backbone,)


def _percentiles(cost_N: Any) -> str:
    return " / ".join(_short(value) for value in np.percentile(cost_N, PERCENTILES))


def _short(value: float) -> str:
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"
