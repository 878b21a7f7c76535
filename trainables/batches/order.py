"""Which images an epoch sees, and in which order."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spaces.mistake import Mistake
from trainables.batches.fields import check_field, fields_of
from trainables.splits import Pictures


class OrderError(Mistake):
    """These images cannot be put in the order that an objective asks for."""


class Order(Protocol):
    """How an epoch draws its images; a worker gets whole blocks of every batch."""

    @property
    def block(self) -> int:
        """Consecutive rows that stay together."""

    def rows(self, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of ``wanted`` images, or a few less, for batches of ``batch``, over all workers."""


@runtime_checkable
class Ordered(Protocol):
    """An objective's module that asks for an order of its own."""

    @property
    def order(self) -> Order | None:
        """That order; None for permutations of all images."""


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Permutations of all images, one after the other, the last one cut."""

    @property
    def block(self) -> int:
        """Every image stands alone."""
        return 1

    def rows(self, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """As the contract says, whatever the batch."""
        del batch
        available = len(pictures)
        return np.concatenate([rng.permutation(available) for _ in range(-(-wanted // available))])[:wanted]


@dataclass(frozen=True, slots=True)
class Grouped:
    """Batches of whole groups: ``per`` different images of each, no group twice before all were seen.

    Images of an unknown group, and of groups with fewer images, are left out.
    """

    per: int

    @property
    def block(self) -> int:
        """A group."""
        return self.per

    def rows(self, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """As the contract says; ``wanted`` is rounded down to whole groups.

        Raises:
            OrderError: no group is large enough, or groups do not fill a batch.
        """
        if batch % self.per:
            raise OrderError(f"a batch of {batch} images is not filled by groups of {self.per}; change batch.size")
        fields = fields_of(pictures)
        check_field("group", fields)
        members = self._groups(fields["group"])
        count = max(1, wanted // self.per)
        rounds = [rng.permutation(len(members)) for _ in range(-(-count // len(members)))]
        drawn = np.concatenate(rounds)[:count]
        return np.concatenate([rng.permutation(members[group])[: self.per] for group in drawn])

    def _groups(self, group_N: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Rows of each group that is large enough."""
        known_M = np.flatnonzero(group_N >= 0)
        sorted_M = known_M[np.argsort(group_N[known_M], kind="stable")]
        starts = np.flatnonzero(np.diff(group_N[sorted_M], prepend=-1))
        members = [rows for rows in np.split(sorted_M, starts[1:]) if len(rows) >= self.per]
        if not members:
            raise OrderError(f"no group has {self.per} images; use smaller groups")
        return members
