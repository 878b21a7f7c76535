"""What replays of rows and of whole spaces have in common: checks, traces played in processes, traces written whole."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Protocol, TypeVar

import pandas as pd

from search.samplers import by_name
from spaces.mistake import Mistake


class Playable(Protocol):
    """One trace to be played, which a process can be given."""

    @property
    def trace(self) -> Path:
        """Where the trace is written."""


P = TypeVar("P", bound=Playable)


def check_replay(tables: Sequence[Path], samplers: Sequence[str], counts: Mapping[str, int]) -> None:
    """That there is something to play.

    Raises:
        Mistake: no table, no sampler, a sampler that does not exist, or a count below 1.
    """
    wrong = [f"{name} is {count}" for name, count in counts.items() if count < 1]
    unknown = sorted(set(samplers) - set(by_name.names()))
    if wrong or unknown or not tables or not samplers:
        raise Mistake(
            f"a replay needs tables, samplers of {', '.join(by_name.names())}, and counts of at least 1; given "
            f"{len(tables)} tables, samplers {', '.join(samplers) or 'none'} {' '.join(wrong)}".rstrip()
        )


def play_missing(plays: Sequence[P], play_trace: Callable[[P], Path], processes: int) -> None:
    """Play what has no trace yet, so many at a time, each in its own process where more than one; print which ended."""
    missing = [play for play in plays if not play.trace.exists()]
    started = time.monotonic()
    for done, trace in enumerate(_finished(missing, play_trace, processes), start=1):
        print(f"[{done}/{len(missing)}, {time.monotonic() - started:.0f} s] {trace.stem}", flush=True)


def _finished(plays: Sequence[P], play_trace: Callable[[P], Path], processes: int) -> Iterable[Path]:
    if processes == 1 or len(plays) < 2:
        yield from map(play_trace, plays)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=processes, mp_context=context) as pool:
        for future in as_completed([pool.submit(play_trace, play) for play in plays]):
            yield future.result()


def write_trace(trace: pd.DataFrame, path: Path) -> Path:
    """Write a trace whole or not at all; its path."""
    temporary = path.with_suffix(f".{os.getpid()}.part")
    trace.to_parquet(temporary, index=False)
    return temporary.replace(path)
