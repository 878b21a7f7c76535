"""Record a table of one's own: candidates even in the logarithm of a cost, trained in full, whole curves kept.

What a search ends with lies far from most of what is drawn, so a table that others shall begin from also has candidates
that a search would train next (``Onwards``).

Rows are appended to ``rows.jsonl`` as trainings end, so that a recording goes on where it was stopped; the table of
what there is so far is written from them at any time.
"""

import dataclasses
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from search.executors.work import LATER, Later, Outcome
from search.problem.problem import Observations
from search.samplers.protocol import Proposer
from spaces.candidate import Candidate
from spaces.mistake import Mistake
from spaces.space import Codes, Space
from trainables.counting.counts import Statistics
from trainables.job import Job

ROWS = "rows.jsonl"
REQUIRED = {"plan", "row", "turn", "candidate", "statistics", "accuracy", "message"}
"""Fields of every row."""
AT_ONCE = 8
"""Candidates that are searched for between two looks at the scores."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Onwards:
    """Candidates beyond the plan's: what a search would train next.

    Attributes:
        count: how many.
        first: those that the search begins with; the sampler chooses the others from all scores that are known.
        sampler: which.
        known: scores that were there before the recording, of a table that it extends.
    """

    count: int
    first: Sequence[Candidate]
    sampler: Proposer
    known: Observations


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
        trained_on: names images and recipe of the trainings, so that those of others are not taken for their own; rows
            from before there was such a name have none.
        onwards: what is trained once each after the plan; nothing by default. It is chosen from the scores of what was
            trained before, so a recording that was stopped may go on with others.

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
        onwards: Onwards | None = None,
        trained_on: str = "",
    ) -> None:
        self._trained_on = trained_on
        self._path, self._plan, self._epochs, self._say = folder / ROWS, plan, epochs, say
        self._space, self._count, self._onwards = space, statistics, onwards
        rows = list(self._ended())
        planned = dict(enumerate(space.decode(plan.codes_ND)))
        self._candidates = planned | {row["row"]: Candidate.from_dict(row["candidate"]) for row in rows}
        codes_ND = space.encode(list(self._candidates.values()))
        self._statistics = dict(zip(self._candidates, statistics(codes_ND), strict=True))
        self._accuracy: dict[int, list[float]] = {}
        for row in rows:
            self._note(row["row"], row["accuracy"], row["message"])
        ended = {(row["row"], row["turn"]) for row in rows}
        left = [pair for pair in plan.trainings if pair not in ended]
        searched = len(self._candidates) - len(planned)
        self._searched = 0 if onwards is None else max(onwards.count - searched, 0)
        self.total = len(plan.trainings) + searched + self._searched
        asked = {*plan.trainings, *((row, 0) for row in self._candidates if row not in planned)}
        self.done, self.beyond = len(ended & asked), len(ended - asked)
        self._most = len(left) + self._searched if most is None else most
        self._open = deque(left)
        self._running: dict[int, tuple[int, int]] = {}
        self._number = 0

    def _ended(self) -> Iterator[dict[str, Any]]:
        for row in read_rows(self._path.parent):
            if "trained_on" in row:
                others = row["trained_on"] != self._trained_on
            else:
                others = row["message"] is None and len(row["accuracy"]) != self._epochs
            if row["plan"] != self._plan.digest or others:
                raise Mistake(
                    f"'{self._path}' holds rows of another configuration, other data, another seed or number of "
                    "candidates; record into another folder, or give what it was begun with"
                )
            yield row

    def next_job(self) -> Job | Later | None:
        """The next training; None when all have been handed out; ``LATER`` before what is chosen from all scores."""
        if not self._most:
            return None
        if not self._open and self._searched:
            if self._running:
                return LATER
            self._open.extend(self._proposed())
        if not self._open:
            return None
        row, turn = self._open.popleft()
        number = self._number
        self._number += 1
        self._most -= 1
        self._running[number] = (row, turn)
        return Job(
            number=number,
            candidate=self._candidates[row],
            epochs=self._epochs,
            stop=self._epochs,
            seed=self._plan.seed_of(row, turn),
        )

    def _proposed(self) -> Iterator[tuple[int, int]]:
        """The next candidates of the search, as rows that are trained once."""
        assert self._onwards is not None
        count, begun = min(AT_ONCE, self._searched), max(self._candidates, default=-1) + 1
        known = set(self._candidates.values())
        first = [one for one in self._onwards.first if one not in known][:count]
        first_ND = self._space.encode(first)
        chosen_ND = self._onwards.sampler.propose(self._observed(), first_ND, count - len(first))
        codes_ND = np.concatenate([first_ND, chosen_ND])
        rows = range(begun, begun + count)
        self._candidates |= zip(rows, self._space.decode(codes_ND), strict=True)
        self._statistics |= zip(rows, self._count(codes_ND), strict=True)
        self._searched -= count
        return ((row, 0) for row in rows)

    def _observed(self) -> Observations:
        """The mean score of every candidate that has one."""
        assert self._onwards is not None
        known, codes_ND = self._onwards.known, self._space.encode([self._candidates[row] for row in self._accuracy])
        return Observations(
            codes_ND=np.concatenate([known.codes_ND, codes_ND]),
            score_N=np.concatenate([known.score_N, [float(np.mean(each)) for each in self._accuracy.values()]]),
        )

    def _note(self, row: int, accuracies: Sequence[float], message: str | None) -> None:
        if message is None and len(accuracies) == self._epochs:
            self._accuracy.setdefault(row, []).append(accuracies[-1])

    def ended(self, outcome: Outcome) -> None:
        """Append a row."""
        row, turn = self._running.pop(outcome.number)
        entry = {
            "plan": self._plan.digest,
            "trained_on": self._trained_on,
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
        self._note(row, entry["accuracy"], outcome.message)
        self.done += 1
        last = f"{outcome.reports[-1].accuracy:.4f}" if outcome.reports else outcome.message
        self._say(f"[{self.done}/{self.total}] row {row}: {self._statistics[row].macs:,} macs, {last}")


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The trainings that have ended; a last line that a kill left unfinished is left out.

    Raises:
        Mistake: a line is no training.
    """
    path = folder / ROWS
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)
    rows = []
    for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
        try:
            rows.append(json.loads(line))
            if not set(rows[-1]) >= REQUIRED:
                raise ValueError("it lacks what a training has")
        except (ValueError, TypeError) as error:
            raise Mistake(
                f"line {number} of '{path}' is no training ({str(error)[:80]}): the file was damaged or edited; "
                "remove the line to train it again, or record into another folder"
            ) from error
    return rows
