"""What the search leaves behind: the family with its two tables.

Nothing here reads anything but JSON and CSV, so that a family from elsewhere can be opened without running its code.
"""

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import pandas as pd

from search.family.comparison import Comparison
from search.family.references import TrainedReference
from search.family.spent import Spent
from search.files import read_json, write_text
from spaces.candidate import Candidate
from spaces.mistake import Mistake
from trainables.counting.times import is_unsteady

FORMAT = 1
"""Version of ``family.json``; raised when a reader of the old version would misread the new one."""

COLUMNS = (
    "member",
    "macs",
    "params",
    "activations",
    "latency_ms",
    "search_accuracy",
    "test_accuracy",
    "test_accuracy_std",
    "seeds",
)
"""Columns of ``family.csv``, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One trained model of the family.

    Attributes:
        name: ``member-1``, ``member-2``, ... in the order of macs; also the name of its folder.
        candidate: architecture and recipe.
        macs: multiply-accumulates of one image.
        params: trainable parameters.
        activations: elements of the outputs of all convolutions and linear layers, for one image.
        resolution: side of the square image that the network sees.
        search_accuracy: accuracy in [0, 1] on the search-validation split.
        test_accuracy: of the exported network, in [0, 1]; None as long as the test split has not been read.
        test_accuracy_std: sample standard deviation over trainings with different seeds; None below two.
        seeds: number of those trainings; the best on search-validation is exported.
        latency_ms: median time of one image in the exported graph, if measured.
        latency_spread_ms: interquartile range of these times; families that were written before it was kept have none.
        checkpoint: of the final training, below ``run.checkpoints`` or the run's folder, where each attempt has its
            own file: ``final/NAME.pt`` stands for ``final/NAME.<attempt>.pt``.
        spent: what ``search`` (its trials with the same candidate, if it was one) and ``final`` (its final trainings)
            took. Families that were written before this was counted have none.
        compared: with the references that were trained beside the family; None without.
    """

    name: str
    candidate: Candidate
    macs: int
    params: int
    activations: int
    resolution: int
    search_accuracy: float
    test_accuracy: float | None = None
    test_accuracy_std: float | None = None
    seeds: int = 1
    latency_ms: float | None = None
    latency_spread_ms: float | None = None
    checkpoint: str = ""
    spent: Mapping[str, Spent] = field(default_factory=dict, hash=False)
    compared: Comparison | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"member-[1-9][0-9]*", self.name):  # it is a folder's name, also where a file says it
            raise ValueError(f"a member is named member-1, member-2, ..., given {self.name!r}")
        for name in ("search_accuracy", "test_accuracy"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{self.name}: {name} is a fraction from 0 to 1, given {value}")
        if self.seeds < 1:
            raise ValueError(f"{self.name}: seeds counts trainings and is at least 1, given {self.seeds}")

    def to_dict(self) -> dict[str, Any]:
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        spent = {name: asdict(part) for name, part in self.spent.items()}
        compared = None if self.compared is None else self.compared.to_dict()
        return {**plain, "candidate": self.candidate.to_dict(), "spent": spent, "compared": compared}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read ``to_dict``'s form.

        Raises:
            ValueError: a field is missing, unknown, or holds an impossible value.
        """
        expected = {item.name for item in fields(cls)}
        content = {"spent": {}, "compared": None, "latency_spread_ms": None, **content}
        if set(content) != expected:
            wrong = sorted(expected.symmetric_difference(content))
            raise ValueError(f"a member has the fields {sorted(expected)}; missing or unknown: {wrong}")
        spent = {name: Spent(**part) for name, part in content["spent"].items()}
        compared = None if content["compared"] is None else Comparison.from_dict(content["compared"])
        candidate = Candidate.from_dict(content["candidate"])
        return cls(**{**content, "candidate": candidate, "spent": spent, "compared": compared})

    @property
    def was_busy(self) -> bool:
        """Whether the machine did other work while the latency was measured, which says little then."""
        if self.latency_ms is None or self.latency_spread_ms is None:
            return False
        return is_unsteady(self.latency_ms, self.latency_spread_ms)

    def row(self) -> dict[str, Any]:
        """The member's line of ``family.csv``."""
        return {column: self.name if column == "member" else getattr(self, column) for column in COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow:
    """What a budget got.

    Attributes:
        max_macs: the budget.
        member: name of its member, which is a cheaper budget's where nothing larger is more accurate; None where no
            network that fits came to its end.
    """

    max_macs: float
    member: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The members, cheapest first, and the digest of the study they came from.

    Attributes:
        members: on the front, cheapest first.
        budgets: one row a budget, tightest first; none in families of candidates that somebody named, and in those that
            were written before budgets were.
        study: digest of the study.
        run: digest of the run's identity; empty in families that were written before runs had one.
        references: hand-written pairs that were trained beside the members, cheapest first.
        test_images: number of images of the test split; 0 in families that were written before it was noted.
        failures: a sentence for each final training that failed, so that its network is not among the members.

    Raises:
        ValueError: the macs do not strictly increase, two members share a name, or a budget's member is unknown.
    """

    members: tuple[Member, ...]
    budgets: tuple[BudgetRow, ...] = ()
    study: str = ""
    run: str = ""
    failures: tuple[str, ...] = ()
    references: tuple[TrainedReference, ...] = ()
    test_images: int = 0

    def __post_init__(self) -> None:
        macs = [member.macs for member in self.members]
        if any(one >= other for one, other in itertools.pairwise(macs)):
            raise ValueError(f"the macs of a family strictly increase, given {macs}")
        names = [member.name for member in self.members]
        if len(set(names)) != len(names):
            raise ValueError(f"members need different names, given {names}")
        unknown = sorted({row.member for row in self.budgets if row.member is not None} - set(names))
        if unknown:
            raise ValueError(f"budgets name members that the family lacks: {unknown}")

    def member(self, name: str) -> Member:
        """The member of a name."""
        return next(member for member in self.members if member.name == name)

    def table(self) -> pd.DataFrame:
        """One row a member, the columns of ``family.csv``; what is unknown is NaN."""
        table = pd.DataFrame([member.row() for member in self.members], columns=list(COLUMNS))
        return table.astype(
            dict.fromkeys(("latency_ms", "search_accuracy", "test_accuracy", "test_accuracy_std"), float)
        )

    def save(self, folder: Path) -> None:
        """Write ``family.json`` and ``family.csv``; each appears whole or not at all."""
        document = {
            "format": FORMAT,
            "study": self.study,
            "run": self.run,
            "members": [member.to_dict() for member in self.members],
            "budgets": [asdict(row) for row in self.budgets],
            "failures": list(self.failures),
            "references": [reference.to_dict() for reference in self.references],
            "test_images": self.test_images,
        }
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "family.json", json.dumps(document, indent=1) + "\n")
        write_text(folder / "family.csv", self.table().to_csv(index=False))


def load_family(folder: Path) -> Family:
    """Read ``family.json``.

    Raises:
        Mistake: the file is missing, damaged, or of a version that this code does not know.
    """
    path = folder / "family.json"
    document = read_json(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        written = document.get("format") if isinstance(document, dict) else document
        raise Mistake(f"{path} has format {written!r:.80}; this version reads format {FORMAT}")
    try:
        return _family(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Mistake(f"{path} was damaged or edited ({error!s:.300}); put it back from a copy") from error


def _family(document: Mapping[str, Any]) -> Family:
    members = tuple(Member.from_dict(member) for member in document["members"])
    return Family(
        members=members,
        budgets=tuple(BudgetRow(**row) for row in document.get("budgets", ())),
        study=document["study"],
        run=document.get("run", ""),
        failures=tuple(document.get("failures", ())),
        references=tuple(map(TrainedReference.from_dict, document.get("references", ()))),
        test_images=int(document.get("test_images", 0)),
    )


def is_complete(folder: Path) -> bool:
    """Whether a family was written to a folder and no final training of it failed, so that nothing is left to do."""
    return (folder / "family.json").is_file() and not load_family(folder).failures
