"""Which images an epoch sees, and in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces.mistake import Mistake
from trainables.batches.fields import check_field, fields_of
from trainables.plan import Order, Ordered, Plan
from trainables.splits import Images, Pictures


class OrderError(Mistake):
    """These images cannot be put in the order that an objective or a recipe asks for."""


def order_of(plan: Plan, pictures: Pictures | None = None) -> Order:
    """How the epochs of a plan draw their images.

    Raises:
        OrderError: two of its recipe, its objective and its pictures have an order of their own.
    """
    trained = plan.trained()
    own = trained.order if isinstance(trained, Ordered) else None
    mixed = pictures.order if isinstance(pictures, Ordered) else None
    if mixed is not None and (own or plan.order) is not None:
        raise OrderError(
            f"pretraining.source draws {mixed} and the objective or recipe {own or plan.order}; choose another source, "
            "or leave out what asks for an order"
        )
    if mixed is not None:
        return mixed
    if own is not None and plan.order is not None:
        raise OrderError(
            f"the objective draws {own} and the recipe {plan.order}; leave recipe.sampling out (pretraining.sampling "
            "of a pretraining), or the objective's knob that asks for an order"
        )
    return plan.order or own or Shuffled()


class _Single:
    """Orders in which every image stands alone."""

    __slots__ = ()

    @property
    def block(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class Shuffled(_Single):
    """Permutations of all images, one after the other, the last one cut."""

    def rows(self, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """As the contract says, whatever the batch."""
        del batch
        return _in_turn(np.arange(len(pictures)), wanted, rng)


def _in_turn(row_M: NDArray[np.int64], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Permutations of some rows, one after the other, the last one cut."""
    turns = -(-wanted // len(row_M))
    return row_M[np.concatenate([rng.permutation(len(row_M)) for _ in range(turns)])[:wanted]] if turns else row_M[:0]


@dataclass(frozen=True, slots=True)
class Grouped:
    """Batches of whole groups: ``per`` different images of each, no group twice before all were seen.

    Images of an unknown group, and of groups with fewer images, are left out. With ``within`` above 0 the others lie
    at most so many frames from the first, by the field ``frame``.
    """

    per: int
    within: int = 0

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
        members = [row_M for row_M in _by_value(fields["group"]).values() if len(row_M) >= self.per]
        near = self._near(members, fields)
        if not near:
            where = f" at most {self.within} frames apart; allow more" if self.within else "; use smaller groups"
            raise OrderError(f"no group has {self.per} images{where}")
        count = max(1, wanted // self.per)
        rounds = [rng.permutation(len(near)) for _ in range(-(-count // len(near)))]
        drawn = np.concatenate(rounds)[:count]
        return np.concatenate([self._some(near[group], rng) for group in drawn])

    def _near(
        self, members: Sequence[NDArray[np.int64]], fields: Mapping[str, NDArray[np.int64]]
    ) -> list[list[NDArray[np.int64]]]:
        """Of each group that has any: sets of rows of which the first may go with all of the others."""
        if not self.within:
            return [[row_M] for row_M in members]
        check_field("frame", fields)
        near = []
        for row_M in members:
            frame_M = fields["frame"][row_M]
            close_MM = (np.abs(frame_M[:, None] - frame_M) <= self.within) & (frame_M >= 0) & (frame_M[:, None] >= 0)
            np.fill_diagonal(close_MM, False)
            first_M = np.flatnonzero(close_MM.sum(1) >= self.per - 1)
            near.append([np.concatenate([row_M[[first]], row_M[close_MM[first]]]) for first in first_M])
        return [sets for sets in near if sets]

    def _some(self, sets: Sequence[NDArray[np.int64]], rng: np.random.Generator) -> NDArray[np.int64]:
        if not self.within:
            return rng.permutation(sets[0])[: self.per]
        first, *others = sets[int(rng.integers(len(sets)))]
        return np.array([first, *rng.permutation(others)[: self.per - 1]])


def _by_value(value_N: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Rows of each value that is known, in their order."""
    known_M = np.flatnonzero(value_N >= 0)
    sorted_M = known_M[np.argsort(value_N[known_M], kind="stable")]
    values, starts = np.unique(value_N[sorted_M], return_index=True)
    if not len(values):
        return {}
    return dict(zip(values.tolist(), np.split(sorted_M, starts[1:]), strict=True))


@dataclass(frozen=True, slots=True)
class Pure(_Single):
    """Every batch has one value of a field; batches follow each other at random, and images without it are left out.

    A value has as many batches, between two rounds over all images, as it fills. Those that fill none are left out.
    """

    field: str

    def rows(self, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """As the contract says; ``wanted`` is rounded down to whole batches.

        Raises:
            OrderError: no value fills a batch.
        """
        fields = fields_of(pictures)
        check_field(self.field, fields)
        size, count = min(batch, wanted), max(1, wanted // batch)
        by_value = [row_M for row_M in _by_value(fields[self.field]).values() if len(row_M) >= size]
        if not by_value:
            raise OrderError(f"no {self.field} has the {size} images of a batch; use a smaller batch.size")
        batches: list[NDArray[np.int64]] = []
        while len(batches) < count:
            whole = [rng.permutation(row_M)[: len(row_M) // size * size].reshape(-1, size) for row_M in by_value]
            batches += list(rng.permutation(np.concatenate(whole)))
        return np.concatenate(batches[:count])


@dataclass(frozen=True, slots=True)
class Weighted(_Single):
    """Every epoch has an exact share of images of each value of a field, by largest remainders.

    ``share`` is at least 0 and above it for one value; shares are divided by their sum.
    """

    share: Mapping[int, float]
    field: str

    def rows(self, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """As the contract says, whatever the batch.

        Raises:
            OrderError: a share below 0, none above it, or one of a value that no image has.
        """
        del batch
        if min(self.share.values(), default=0) < 0 or not sum(self.share.values()):
            raise OrderError(f"shares of {self.field} are at least 0, and one is above it, given {dict(self.share)}")
        fields = fields_of(pictures)
        check_field(self.field, fields)
        by_value = _by_value(fields[self.field])
        absent = [value for value, share in self.share.items() if share and value not in by_value]
        if absent:
            raise OrderError(
                f"no image has {self.field} {absent[0]}, which is to have a share of {self.share[absent[0]]}"
            )
        exact = {value: wanted * share / sum(self.share.values()) for value, share in self.share.items()}
        count = {value: int(images) for value, images in exact.items()}
        by_remainder = sorted(exact, key=lambda value: (count[value] - exact[value], value))
        for value in by_remainder[: wanted - sum(count.values())]:
            count[value] += 1
        drawn = [_in_turn(by_value[value], images, rng) for value, images in count.items() if images]
        return rng.permutation(np.concatenate(drawn))


@dataclass(frozen=True, slots=True)
class RareFirst(_Single):
    """A class is drawn with probability softmax((1 - its share of the images) / ``temperature``), then an image of it.

    DAFormer's rare class sampling (Hoyer et al. 2022, https://arxiv.org/abs/2111.14887), by image where the paper
    counts pixels. No image of a class comes twice before all of the class did. ``temperature`` is above 0: the smaller,
    the more often rare classes are seen; all alike where it is large.
    """

    temperature: float

    def rows(self, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """As the contract says, whatever the batch.

        Raises:
            OrderError: the images have no labels.
        """
        del batch
        if not isinstance(pictures, Images):
            raise OrderError("images without labels have no rare classes; leave recipe.sampling.rare at 0")
        by_class = _by_value(pictures.label_N)
        share_K = np.array([len(row_M) for row_M in by_class.values()]) / len(pictures)
        weight_K = np.exp((share_K.min() - share_K) / self.temperature)
        class_B = rng.choice(len(by_class), size=wanted, p=weight_K / weight_K.sum())
        row_B = np.empty(wanted, dtype=np.int64)
        for number, row_M in enumerate(by_class.values()):
            own_B = class_B == number
            row_B[own_B] = _in_turn(row_M, int(own_B.sum()), rng)
        return row_B
