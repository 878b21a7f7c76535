"""What searching brought: a trained network beside hand-written references, with intervals.

Two networks answer the same N test images, so their accuracies are compared pair by pair: the 95 % interval of the
difference is Newcombe's, by square and add of Wilson's (Statistics in Medicine 17, 1998, pp. 2635-2650, method 10),
which holds near accuracies of 1 as well. Where both were trained with several seeds, the spread over trainings is added
in squares by Student's t (Welch's degrees of freedom): another training of the same pairs is then within it, too.

How many macs a reference needs for the network's accuracy is read off the references' curve, the best of those that are
no larger, straight between two in the logarithm of the macs. The interval is by inversion: from where a reference is
not shown to be worse any more to where it is shown to be better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from search.words import amount, rounded

CONFIDENCE = 0.95

Verdict = Literal[
    "is a reference",
    "none reaches it",
    "fewer macs",
    "none is as cheap",
    "more accurate",
    "no difference is shown",
    "worse",
]
Bools = NDArray[np.bool_]
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Examined:
    """A network with what it answers on the test split.

    Attributes:
        name: what people call it.
        pair: key of its candidate.
        macs: of one image.
        right_N: whether it is right, for each image.
        search_accuracy: on search-validation.
        std: of the accuracies of its trainings; None below two.
        seeds: number of those trainings.
    """

    name: str
    pair: str
    macs: int
    right_N: Bools
    search_accuracy: float
    std: float | None = None
    seeds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A network beside references.

    Attributes:
        macs: of the network.
        reference: its reference, the best one on search-validation within its budget; None where the budget has none.
        reference_macs: of that reference.
        itself: the reference that the network's own pair is, or None.
        difference: test accuracy of the network minus that reference's.
        difference_low, difference_high: its interval.
        nearest: the reference that is nearest to what references need.
        equal_macs: what references need for the network's accuracy; 0 where the smallest is above it already, None
            where none reaches it.
        low_macs, high_macs: interval of that, likewise.
        smallest_macs, largest_macs: of the smallest and the largest reference.
        images: test images.
        over_seeds: whether the intervals hold the spread over trainings.
    """

    macs: int
    reference: str | None
    reference_macs: int | None
    itself: str | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    nearest: str
    equal_macs: float | None
    low_macs: float | None
    high_macs: float | None
    smallest_macs: int
    largest_macs: int
    images: int
    over_seeds: bool

    @property
    def verdict(self) -> Verdict:
        """What the intervals bear."""
        if self.itself is not None:
            return "is a reference"
        if self.low_macs is None:
            return "none reaches it"
        if self.low_macs > self.macs:
            return "fewer macs"
        if self.equal_macs == 0 and self.smallest_macs > self.macs:
            return "none is as cheap"
        if self.difference_low is not None and self.difference_low > 0:
            return "more accurate"
        behind = self.difference_high is not None and self.difference_high < 0
        return "worse" if behind else "no difference is shown"

    @property
    def sentence(self) -> str:
        """The verdict for people, with its interval."""
        match self.verdict:
            case "is a reference":
                return f"it is the reference {self.itself}: nothing that was searched did better on search-validation"
            case "none reaches it":
                return f"no reference reaches it; the largest, of {amount(self.largest_macs)} macs, {self._largest()}"
            case "fewer macs":
                return self._fewer()
            case "none is as cheap":
                return f"no reference is as cheap; the smallest has {amount(self.smallest_macs)} macs"
            case "more accurate":
                return (
                    f"more accurate than its reference{self._beside()}; that it needs fewer macs than references of "
                    f"its accuracy is not shown: times fewer, {self.interval_of_times}"
                )
            case "worse":
                return f"worse than its reference{self._beside()}"
        return f"no difference from the references is shown{self._beside()}; times fewer macs, {self.interval_of_times}"

    def _largest(self) -> str:
        times = self.largest_macs / self.macs
        return f"has {times:.1f} times its macs" if times > 1 else "is smaller than it"

    def _fewer(self) -> str:
        if self.equal_macs is None:
            return f"no reference is above it: at least {_times(self.low_macs, self.macs)} times fewer macs (95 %)"
        return (
            f"as accurate as references of {amount(self.equal_macs)} macs (nearest: {self.nearest}) at "
            f"{_times(self.equal_macs, self.macs)} times fewer macs ({self.interval_of_times})"
        )

    def _beside(self) -> str:
        if self.reference is None or self.reference_macs is None or self.difference is None:
            return ""
        low, high = self.difference_low or 0.0, self.difference_high or 0.0
        return (
            f" ({self.reference}, {amount(self.reference_macs)} macs): {100 * self.difference:+.1f} points of test "
            f"accuracy (95 %: {100 * low:+.1f} to {100 * high:+.1f})"
        )

    @property
    def interval_of_times(self) -> str:
        """Of how many times fewer macs the network has: ``95 %: 1.4 to 3.1``."""
        return f"95 %: {self._end(self.low_macs)} to {self._end(self.high_macs)}"

    @property
    def times_fewer(self) -> str:
        """How many times fewer macs the network has than references of its accuracy, with the interval, for a table."""
        if self.equal_macs is None:
            middle = f"above {_times(self.largest_macs, self.macs)}"
        elif self.equal_macs == 0:
            middle = f"below {_times(self.smallest_macs, self.macs)}"
        else:
            middle = _times(self.equal_macs, self.macs)
        return f"{middle} ({self._end(self.low_macs)} to {self._end(self.high_macs)})"

    @property
    def points(self) -> str:
        """Points of test accuracy above its reference, with the interval, for a table; empty without one."""
        if self.difference is None or self.difference_low is None or self.difference_high is None:
            return ""
        return f"{100 * self.difference:+.1f} ({100 * self.difference_low:+.1f} to {100 * self.difference_high:+.1f})"

    def _end(self, reference_macs: float | None) -> str:
        if reference_macs is None:
            return f"above {_times(self.largest_macs, self.macs)}"
        if reference_macs == 0:
            return f"below {_times(self.smallest_macs, self.macs)}"
        return _times(reference_macs, self.macs)

    @property
    def note(self) -> str:
        """What the intervals rest on, and what is not in them."""
        seeds = "and from the spread over trainings" if self.over_seeds else "and not from the spread over trainings"
        return (
            f"The intervals are from the {self.images} test images, which all of the networks answered, {seeds}; "
            "references were trained on labels with the schedule of the members"
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON value that ``from_dict`` reads."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Read ``to_dict``'s form."""
        return cls(**content)


def _times(reference_macs: float | None, macs: float) -> str:
    return rounded((reference_macs or 0.0) / macs)


def compare(network: Examined, references: Sequence[Examined], budget: float | None) -> Comparison | None:
    """A network beside references that were trained as long; None without references.

    Args:
        network: of the family.
        references: in any order.
        budget: macs that the network may have; any number if None.
    """
    if not references:
        return None
    rows = sorted(references, key=lambda one: one.macs)
    bounds_RB = [difference_interval(network, one) for one in rows]
    difference_R = np.array([network.right_N.mean() - one.right_N.mean() for one in rows])
    log_macs_R = np.log([one.macs for one in rows])
    equal = _crossing(log_macs_R, difference_R)
    within = [row for row, one in enumerate(rows) if budget is None or one.macs <= budget]
    own = max(within, key=lambda row: rows[row].search_accuracy) if within else None
    return Comparison(
        macs=network.macs,
        reference=None if own is None else rows[own].name,
        reference_macs=None if own is None else rows[own].macs,
        itself=next((one.name for one in rows if one.pair == network.pair), None),
        difference=None if own is None else float(difference_R[own]),
        difference_low=None if own is None else bounds_RB[own][0],
        difference_high=None if own is None else bounds_RB[own][1],
        nearest=min(rows, key=lambda one: abs(math.log(one.macs) - _finite(equal, log_macs_R))).name,
        equal_macs=_macs(equal),
        low_macs=_macs(_crossing(log_macs_R, np.array([low for low, _ in bounds_RB]))),
        high_macs=_macs(_crossing(log_macs_R, np.array([high for _, high in bounds_RB]))),
        smallest_macs=rows[0].macs,
        largest_macs=rows[-1].macs,
        images=len(network.right_N),
        over_seeds=network.std is not None and all(one.std is not None for one in rows),
    )


def _crossing(log_macs_R: NDArray[np.float64], lead_R: NDArray[np.float64]) -> float:
    """Where the network's lead over the best reference that is no larger falls to 0; infinite beyond the references."""
    lead_R = np.minimum.accumulate(lead_R)
    caught = np.flatnonzero(lead_R <= 0)
    if not caught.size:
        return math.inf
    at = int(caught[0])
    if at == 0:
        return float(log_macs_R[0]) if lead_R[0] == 0 else -math.inf
    share = lead_R[at - 1] / (lead_R[at - 1] - lead_R[at])
    return float(log_macs_R[at - 1] + share * (log_macs_R[at] - log_macs_R[at - 1]))


def _macs(log_macs: float) -> float | None:
    return None if log_macs == math.inf else math.exp(log_macs)


def _finite(log_macs: float, log_macs_R: NDArray[np.float64]) -> float:
    return float(np.clip(log_macs, log_macs_R[0], log_macs_R[-1]))


def difference_interval(one: Examined, other: Examined) -> Interval:
    """Interval of the difference of two networks' accuracies on the same images."""
    low, high = newcombe(one.right_N, other.right_N)
    difference = float(one.right_N.mean() - other.right_N.mean())
    seeds = _over_seeds(one, other)
    return difference - math.hypot(difference - low, seeds), difference + math.hypot(high - difference, seeds)


def _over_seeds(one: Examined, other: Examined) -> float:
    """Half the interval of the difference of one training of each, from the spread over trainings; 0 if unknown."""
    if one.std is None or other.std is None or one.std + other.std == 0:
        return 0.0
    squares = [(one.std**2, one.seeds), (other.std**2, other.seeds)]
    variance = sum(square for square, _ in squares)
    freedom = variance**2 / sum(square**2 / (seeds - 1) for square, seeds in squares)
    return float(t.ppf(0.5 + CONFIDENCE / 2, freedom)) * math.sqrt(variance)


def newcombe(one_N: Bools, other_N: Bools) -> Interval:
    """Newcombe's interval (method 10) of the difference of two shares that were seen on the same N units."""
    both, neither = int((one_N & other_N).sum()), int((~one_N & ~other_N).sum())
    first, second = int((one_N & ~other_N).sum()), int((~one_N & other_N).sum())
    count = len(one_N)
    share_1, share_2 = (both + first) / count, (both + second) / count
    (low_1, high_1), (low_2, high_2) = wilson(share_1, count), wilson(share_2, count)
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    agreement = both * neither - first * second
    corrected = max(agreement - count / 2, 0.0) if agreement > 0 else float(agreement)
    phi = corrected / math.sqrt(product) if product else 0.0
    below, above = (share_1 - low_1, high_2 - share_2), (share_2 - low_2, high_1 - share_1)
    difference = share_1 - share_2
    return difference - _added(*below, phi), difference + _added(*above, phi)


def _added(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))


def wilson(share: float, count: int) -> Interval:
    """Wilson's score interval of a share that was seen in ``count`` independent units."""
    z = float(norm.ppf(0.5 + CONFIDENCE / 2))
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)
