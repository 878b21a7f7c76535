"""Trainings of one candidate with the values of one address: what a larger network of its kind would bring."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from search.errors import UsageError
from search.ladder.training import FEWEST, folder_of, jobs_of, keep, listed, measured, place_of, read_kept
from search.setting.setting import Setting
from spaces.candidate import Candidate
from spaces.dimensions import Value, is_ordinal
from spaces.space import Codes, Space
from spaces.translation import addressed, translate

FILE = "along.csv"
COSTS = ("macs", "params")
"""That a law may be over."""
COLUMNS = ("candidate", "epochs", "along", "value", "trained", *COSTS, "seed", "validation", "test", "judged")
"""Of the table: a training a row; ``candidate`` is whose address was changed, ``trained`` what that made of it."""
MOST = 12
"""Values that are trained where none are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """What is to be measured.

    Attributes:
        candidate: whose address is changed.
        address: full, as the space has it.
        over: the cost that rises from rung to rung, of ``COSTS``.
        values: of the address, by that cost.
        rungs: the candidate with each of them.
        costs: of each rung, one of each of ``COSTS``.
        seeds: trainings of each.
        epochs: of each.
    """

    candidate: Candidate
    address: str
    over: str
    values: tuple[Value, ...]
    rungs: tuple[Candidate, ...]
    costs: tuple[tuple[int, ...], ...]
    seeds: int
    epochs: int


def along_of(
    setting: Setting, candidate: Candidate, address: str, text: str | None, *, over: str, seeds: int, epochs: int
) -> Along:
    """A ladder along an address.

    Args:
        setting: of the run.
        candidate: a member's.
        address: full, such as ``architecture.width.0``.
        text: values as one writes them on a command line; without them all of the space's that the limits allow.
        over: the cost that laws are over.
        seeds, epochs: of each rung.

    Raises:
        UsageError: no such address, one without an order or one that costs nothing, or too few values.
    """
    space = setting.space
    _check_address(space, address)
    values = addressed(space, candidate)
    if values is None or translate(space, values) is None:
        raise UsageError(f"pair {candidate.key} is none of the run's space '{space.name}'; choose another --member")
    if address not in values:
        raise UsageError(
            f"{address} is switched off in pair {candidate.key}, which has {', '.join(_orders(space, values))}"
        )
    wanted = _values(space, address, text)
    codes_RD, kept = _codes(space, values, address, wanted)
    if text is None:  # asked for by name, a rung may be larger than what the run was to find
        within_R = setting.problem.feasible(codes_RD)
        codes_RD, kept = codes_RD[within_R], [value for value, fits in zip(kept, within_R, strict=True) if fits]
    counts = setting.counts(codes_RD)
    cost_RC = np.stack([counts.costs()[name] for name in COSTS], axis=1)
    order_R = np.argsort(cost_RC[:, COSTS.index(over)], kind="stable")
    rising = len(np.unique(cost_RC[:, COSTS.index(over)]))
    if rising == 1 and len(kept) > 1:
        raise UsageError(f"{address} changes no {over}, so that no law can be over them; choose {_others(over)}")
    if len(kept) < FEWEST or rising < len(kept):
        raise UsageError(
            f"a ladder along {address} needs {FEWEST} values or more, each of other {over}; within the limits are "
            f"{', '.join(map(str, kept)) or 'none'} ({', '.join(f'{one:,}' for one in cost_RC[:, 0])} macs)"
        )
    decoded = space.decode(codes_RD)
    return Along(
        candidate=candidate,
        address=address,
        over=over,
        values=tuple(kept[row] for row in order_R),
        rungs=tuple(decoded[row] for row in order_R),
        costs=tuple(tuple(cost_RC[row].tolist()) for row in order_R),
        seeds=seeds,
        epochs=epochs,
    )


def _others(over: str) -> str:
    return f"an address of the architecture, or --over {next(name for name in COSTS if name != over)}"


def _check_address(space: Space, address: str) -> None:
    if address not in space.index:
        raise UsageError(
            f"space '{space.name}' has no '{address}'; a ladder can be along {', '.join(_orders(space, space.index))}"
        )
    if not is_ordinal(space.dimension(address)):
        raise UsageError(
            f"{address} is a choice without an order, along which nothing grows; a ladder can be along "
            f"{', '.join(_orders(space, space.index))}"
        )


def _orders(space: Space, among: Iterable[str]) -> list[str]:
    """Addresses of the architecture along which there may be a ladder."""
    return [
        address
        for address in among
        if address in space.index
        and address.startswith("architecture.")
        and is_ordinal(space.dimension(address))
        and len(space.dimension(address).values) >= FEWEST
    ]


def _values(space: Space, address: str, text: str | None) -> list[Value]:
    """Those asked for, or the space's; evenly chosen ones where these are many."""
    offered = space.dimension(address).values
    if text is None:
        return [offered[row] for row in np.unique(np.linspace(0, len(offered) - 1, MOST).round().astype(int))]
    words = [word.strip() for word in text.split(",")]
    by_word = {f"{value:g}" if isinstance(value, float) else str(value): value for value in offered}
    if len(set(words)) < len(words) or not set(words) <= set(by_word):
        raise UsageError(f"--values are different ones of {', '.join(by_word)}; given '{text}'")
    return [by_word[word] for word in words]


def _codes(
    space: Space, values: Mapping[str, Value], address: str, wanted: Sequence[Value]
) -> tuple[Codes, list[Value]]:
    """Codes of the candidate with each value, and the values; a value that opens or shuts other choices has none."""
    rows = {value: translate(space, {**values, address: value}) for value in wanted}
    fitting = {value: codes_D for value, codes_D in rows.items() if codes_D is not None}
    if not fitting:
        raise UsageError(
            f"no value of {address} leaves the other choices of the pair as they are; choose another address"
        )
    return np.stack(list(fitting.values())), list(fitting)


def measure_along(setting: Setting, along: Along, say: Callable[[str], None]) -> pd.DataFrame:
    """Train what has not been trained before; the trainings of the ladder, the smallest cost first.

    Args:
        setting: of a finished run, in whose folder below ``ladder`` everything is kept.
        along: what is trained.
        say: called with a line after each rung.

    Raises:
        UsageError: a training failed.
    """
    folder, place = folder_of(setting), place_of(setting, 1.0)
    for value, rung, costs in zip(along.values, along.rungs, along.costs, strict=True):
        known = read_along(folder)
        own = _own(known, along)
        done = set(own.loc[own["trained"] == rung.key, "seed"])
        every = jobs_of(setting, rung, seeds=along.seeds, epochs=along.epochs, share=1.0)
        missing = [(seed, job) for seed, job in every if seed not in done]
        if missing:
            figures = measured(place, setting.config.run.executor, [job for _, job in missing])
            rows = [
                {
                    "candidate": along.candidate.key,
                    "epochs": along.epochs,
                    "along": along.address,
                    "value": value,
                    "trained": rung.key,
                    **dict(zip(COSTS, costs, strict=True)),
                    "seed": seed,
                    **row,
                }
                for (seed, _), row in zip(missing, figures, strict=True)
            ]
            keep(folder / FILE, known, rows)
        own = rungs_along(read_along(folder), along)
        own = own[own["trained"] == rung.key]
        amount = f"{int(own[along.over].iloc[0]):,} {along.over}"
        say(f"{along.address} {value}, {amount}: {listed(own['test'].tolist())} on test")
    return rungs_along(read_along(folder), along)


def read_along(folder: Path) -> pd.DataFrame:
    """All trainings along addresses that a folder has kept."""
    return read_kept(folder / FILE, COLUMNS)


def _own(table: pd.DataFrame, along: Along) -> pd.DataFrame:
    same = (table["candidate"] == along.candidate.key) & (table["epochs"] == along.epochs)
    return table[same & (table["along"] == along.address)]


def rungs_along(table: pd.DataFrame, along: Along) -> pd.DataFrame:
    """The trainings of one ladder among those of a table, the smallest cost first."""
    own = _own(table, along)
    own = own[own["trained"].isin([rung.key for rung in along.rungs]) & (own["seed"] < along.seeds)]
    return own.sort_values([along.over, "seed"], ignore_index=True)
