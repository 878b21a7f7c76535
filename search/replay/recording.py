"""Record a table of one's own: candidates even in the logarithm of a cost, trained in full, whole curves kept.

Rows are appended to ``rows.jsonl`` as trainings end, so that a recording goes on where it was stopped; the table of
what there is so far is written from them at any time.
"""

import dataclasses
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from search.executors.work import Outcome
from search.files import write_text
from search.learning.recorded import INACTIVE
from search.problem.feasible import sample_within, smallest
from search.problem.problem import Problem
from spaces.candidate import Candidate
from spaces.codes import first_of_each
from spaces.dimensions import is_ordinal
from spaces.mistake import Mistake
from spaces.space import Codes, Space
from trainables.counting.counts import Statistics
from trainables.job import Job

BANDS = 40
"""Most parts of the range of a cost, equal in its logarithm, that hold equally many candidates."""
TRIES = 60
"""Draws for a band before it is taken to have no more candidates."""
FRUITLESS = 6
"""Draws in a row without a new candidate after which it is, too."""
DRAWN = 400
ROWS = "rows.jsonl"


def even_in_log_cost(problem: Problem, n: int, rng: np.random.Generator, cost: str = "macs") -> Codes:
    """Up to ``n`` different candidates, even in the logarithm of a cost from the smallest to the limit, shape (n, D).

    Bands take turns, in an order drawn anew for each turn, so that the first rows of any number are even as well.
    Where bands have too few candidates, or none since costs take few values, the others give more.

    Raises:
        Mistake: the problem has no limit on the cost.
    """
    most = problem.limits.bounds().get(cost)
    if most is None:
        raise Mistake(f"a recording is even in {cost} up to a limit: give limits.max_{cost}")
    count = min(BANDS, n)
    edges = np.geomspace(smallest(problem.space, problem.costs, cost), most, count + 1)
    each = -(-n // count)
    ranges = [(edges[k] if k else 0.0, edges[k + 1]) for k in range(count)]
    bands = [_band(problem, cost, low, high, each, rng) for low, high in ranges]
    while (missing := n - sum(map(len, bands))) > 0 and (full := [k for k in range(count) if len(bands[k]) == each]):
        each += -(-missing // len(full))
        for k in full:
            bands[k] = _band(problem, cost, *ranges[k], each, rng)
    turns = [bands[band][turn] for turn in range(each) for band in rng.permutation(count) if turn < len(bands[band])]
    return np.stack(turns)[:n]


def _band(problem: Problem, cost: str, low: float, high: float, n: int, rng: np.random.Generator) -> Codes:
    """Up to ``n`` different candidates that cost more than ``low`` and at most ``high``."""
    limits = dataclasses.replace(problem.limits, **{f"max_{cost}": float(high)})
    rows_ND = np.empty((0, len(problem.space.dimensions)), dtype=np.int16)
    fruitless = 0
    for _ in range(TRIES):
        if len(rows_ND) >= n or fruitless == FRUITLESS:
            break
        before = len(rows_ND)
        drawn_ND = sample_within(problem, DRAWN, rng, limits=limits)
        inside_ND = drawn_ND[np.asarray(problem.costs(drawn_ND)[cost]) > low]
        rows_ND = np.concatenate([rows_ND, inside_ND])
        rows_ND = rows_ND[first_of_each(rows_ND)]
        fruitless = fruitless + 1 if len(rows_ND) == before else 0
    return rows_ND[:n]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be trained: every candidate ``seeds`` times, and ``repeat`` of them ``more`` times again.

    Attributes:
        codes_ND: the candidates.
        seed: of every training.
        seeds: trainings of each candidate.
        repeat: candidates, evenly along the list, whose noise is recorded.
        more: further trainings of each of those.
    """

    codes_ND: Codes
    seed: int
    seeds: int
    repeat: int
    more: int = 3

    @property
    def trainings(self) -> list[tuple[int, int]]:
        """(row, number of the training) of each, all first trainings before any second one."""
        count = len(self.codes_ND)
        once = [(row, turn) for turn in range(self.seeds) for row in range(count)]
        noisy = np.unique(np.linspace(0, count - 1, min(self.repeat, count)).round().astype(int)).tolist()
        return once + [(row, self.seeds + turn) for turn in range(self.more) for row in noisy]

    def seed_of(self, row: int, turn: int) -> int:
        """Seed of a training, the same whenever it is run."""
        return int(np.random.SeedSequence([self.seed, row, turn]).generate_state(1)[0])

    @property
    def digest(self) -> str:
        """Names the plan, whatever part of it has been trained."""
        return hashlib.sha256(self.codes_ND.tobytes() + bytes(str(self.seed), "ascii")).hexdigest()[:16]


class Recording:
    """Hands out the trainings that a folder lacks, and appends what they gave.

    Args:
        folder: where ``rows.jsonl`` is.
        space: of the candidates.
        plan: what is to be trained.
        epochs: length of the schedule.
        statistics: exact costs of candidates.
        say: called with a line for each training that has ended.
        most: trainings to hand out; all by default.

    Raises:
        Mistake: the folder holds rows of another plan.
    """

    def __init__(
        self,
        folder: Path,
        space: Space,
        plan: Plan,
        *,
        epochs: int,
        statistics: Callable[[Codes], list[Statistics]],
        say: Callable[[str], None],
        most: int | None = None,
    ) -> None:
        self._path, self._plan, self._epochs, self._say = folder / ROWS, plan, epochs, say
        self._candidates = space.decode(plan.codes_ND)
        self._statistics = statistics(plan.codes_ND)
        ended = {(row["row"], row["turn"]) for row in self._ended()}
        left = [pair for pair in plan.trainings if pair not in ended]
        self.total, self.done = len(plan.trainings), len(plan.trainings) - len(left)
        self._open = deque(left[:most])
        self._running: dict[int, tuple[int, int]] = {}

    def _ended(self) -> Iterator[dict[str, Any]]:
        for row in read_rows(self._path.parent):
            if row["plan"] != self._plan.digest:
                raise Mistake(
                    f"'{self._path}' holds rows of another configuration, seed or number of candidates; record into "
                    "another folder, or give what it was begun with"
                )
            yield row

    def next_job(self) -> Job | None:
        """The next training; None when all have been handed out."""
        if not self._open:
            return None
        row, turn = self._open.popleft()
        number = self._plan.trainings.index((row, turn))
        self._running[number] = (row, turn)
        return Job(
            number=number,
            candidate=self._candidates[row],
            epochs=self._epochs,
            stop=self._epochs,
            seed=self._plan.seed_of(row, turn),
        )

    def ended(self, outcome: Outcome) -> None:
        """Append a row."""
        row, turn = self._running.pop(outcome.number)
        entry = {
            "plan": self._plan.digest,
            "row": row,
            "turn": turn,
            "candidate": self._candidates[row].to_dict(),
            "statistics": dataclasses.asdict(self._statistics[row]),
            "accuracy": [report.accuracy for report in outcome.reports],
            "loss": [report.loss for report in outcome.reports],
            "seconds": outcome.reports[-1].seconds if outcome.reports else None,
            "message": outcome.message,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.done += 1
        last = f"{outcome.reports[-1].accuracy:.4f}" if outcome.reports else outcome.message
        self._say(f"[{self.done}/{self.total}] row {row}: {self._statistics[row].macs:,} macs, {last}")


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The trainings that have ended; a last line that a kill left unfinished is left out."""
    path = folder / ROWS
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)
    return [json.loads(line) for line in whole.decode().splitlines()]


def write_table(folder: Path, name: str, space: Space, epochs: int, card: dict[str, Any]) -> Path:
    """``NAME.json`` and ``NAME.parquet`` of what has been recorded so far; returns the path of the JSON.

    One line a candidate: its values, its costs, the mean accuracy over its trainings, each training's accuracy
    (``accuracy.0``, ...), the curve of the first training (``epoch.1``, ...) and its seconds. A failed training is
    missing.

    Raises:
        Mistake: nothing has been recorded.
    """
    trained = [row for row in read_rows(folder) if row["message"] is None and len(row["accuracy"]) == epochs]
    if not trained:
        raise Mistake(f"'{folder}' holds no finished training yet")
    by_row: dict[int, list[dict[str, Any]]] = {}
    for entry in sorted(trained, key=lambda entry: (entry["row"], entry["turn"])):
        by_row.setdefault(entry["row"], []).append(entry)
    turns = max(map(len, by_row.values()))
    frame = pd.DataFrame([_line(space, entries, turns, epochs) for entries in by_row.values()])
    dimensions = [_described(space, address) for address in space.addresses if address not in _fixed(space)]
    description = {
        "name": name,
        "space": space.name,
        "rows": len(frame),
        "complete_grid": False,
        "dimensions": dimensions,
        "fixed": {address: space.dimension(address).values[0] for address in _fixed(space)},
        "metric": {
            "column": "accuracy",
            "direction": "maximize",
            "seed_columns": [f"accuracy.{turn}" for turn in range(turns)],
        },
        "curve_columns": [f"epoch.{epoch}" for epoch in range(1, epochs + 1)],
        "statistics": ["macs", "params", "activations"],
        "measured_costs": ["seconds"],
        "versions": {package: version(package) for package in ("torch", "timm")},
        **card,
    }
    path = folder / f"{name}.json"
    frame.to_parquet(path.with_suffix(".parquet"), index=False)
    write_text(path, json.dumps(description, indent=1) + "\n")
    return path


def _fixed(space: Space) -> list[str]:
    """Addresses without a choice, which have no column."""
    return [address for address in space.addresses if len(space.dimension(address).values) == 1]


def _line(space: Space, entries: Sequence[dict[str, Any]], turns: int, epochs: int) -> dict[str, Any]:
    candidate = Candidate.from_dict(entries[0]["candidate"])
    values = space.addressed(candidate)
    line: dict[str, Any] = {}
    for address in space.addresses:
        dimension = space.dimension(address)
        if len(dimension.values) > 1:
            line[address] = _cell(space, address, values.get(address, INACTIVE))
    line |= {name: entries[0]["statistics"][name] for name in ("macs", "params", "activations")}
    finals = [entry["accuracy"][-1] for entry in entries]
    line["accuracy"] = float(np.mean(finals))
    line |= {f"accuracy.{turn}": finals[turn] if turn < len(finals) else None for turn in range(turns)}
    line |= {f"epoch.{epoch}": entries[0]["accuracy"][epoch - 1] for epoch in range(1, epochs + 1)}
    return line | {"seconds": entries[0]["seconds"]}


def _cell(space: Space, address: str, value: Any) -> Any:
    """A dimension that can be off has words in all its cells, since a column of a table has one type."""
    return str(value) if address in space.conditions else value


def _described(space: Space, address: str) -> dict[str, Any]:
    dimension = space.dimension(address)
    conditional = address in space.conditions
    values = [_cell(space, address, value) for value in dimension.values]
    return {
        "name": address,
        "role": address.partition(".")[0],
        "type": "ordinal" if is_ordinal(dimension) else "categorical",
        "log": bool(getattr(dimension, "log", False)),
        "values": [*values, INACTIVE] if conditional else values,
    }
