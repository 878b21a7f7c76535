"""References that were trained beside a family: what one would have got without searching."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import pandas as pd

from spaces.candidate import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedReference:
    """A hand-written pair, trained in full on labels with the schedule of the members.

    Attributes:
        name: what people call it.
        family: references of one kind under one recipe share it.
        candidate: architecture and recipe.
        macs: multiply-accumulates of one image.
        params: trainable parameters.
        activations: elements of the outputs of all convolutions and linear layers, for one image.
        search_accuracy: accuracy in [0, 1] on search-validation.
        test_accuracy: on the test split, of the training that is best on search-validation.
        test_accuracy_std: sample standard deviation over trainings with different seeds; None below two.
        seeds: number of those trainings.
    """

    name: str
    family: str
    candidate: Candidate
    macs: int
    params: int
    activations: int
    search_accuracy: float
    test_accuracy: float
    test_accuracy_std: float | None = None
    seeds: int = 1

    def to_dict(self) -> dict[str, Any]:
        """A JSON value that ``from_dict`` reads."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {
            "candidate": self.candidate.to_dict()
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read ``to_dict``'s form."""
        return cls(**{**content, "candidate": Candidate.from_dict(content["candidate"])})


COLUMNS = (
    "reference",
    "macs",
    "params",
    "activations",
    "search_accuracy",
    "test_accuracy",
    "test_accuracy_std",
    "seeds",
)
"""Columns of the table of references, in order."""


def references_table(references: Sequence[TrainedReference]) -> pd.DataFrame:
    """One row a reference, cheapest first; what is unknown is NaN."""
    rows = [{"reference": one.name, **{name: getattr(one, name) for name in COLUMNS[1:]}} for one in references]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(("search_accuracy", "test_accuracy", "test_accuracy_std"), float))
