"""Dimensions: the finite, ordered or unordered lists of values from which a candidate is put together.

Every dimension is a grid. A candidate is then a row of small integers (its *codes*), which makes keys exact, encoding
and counting vectorised, and two runs comparable bit for bit. A real number is a grid of ``levels`` values.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Value: TypeAlias = bool | int | float | str


def _significant(value: float, digits: int = 6) -> float:
    """Round to significant digits, so that a grid's values are short in JSON and equal on every platform."""
    return float(f"{value:.{digits}g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a list of values. ``ordered`` values are encoded by their level, unordered ones as one-hot columns."""

    values: tuple[Value, ...]
    ordered: bool = False

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a Choice needs at least one value")
        if len({(type(value), value) for value in self.values}) != len(self.values):
            raise ValueError(f"a Choice needs distinct values, given {self.values}")


def ordered(*values: Value) -> Choice:
    """A choice whose values are levels of a scale."""
    return Choice(values=values, ordered=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer:
    """An integer from ``low`` to ``high`` (both included) by ``step``; ``log`` spaces the encoding, not the grid."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        if self.low > self.high or self.step < 1 or (self.high - self.low) % self.step:
            raise ValueError(f"an Integer needs low <= high and a step that divides their distance, given {self}")
        if self.log and self.low < 1:
            raise ValueError(f"a logarithmic Integer needs low >= 1, given {self}")

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(range(self.low, self.high + 1, self.step))


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A real number on a grid of ``levels`` values from ``low`` to ``high``, evenly spaced (in the log if ``log``)."""

    low: float
    high: float
    levels: int
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high and self.levels >= 2):
            raise ValueError(f"a Real needs finite low < high and at least two levels, given {self}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic Real needs low > 0, given {self}")
        if len(set(self.values)) != self.levels:
            raise ValueError(f"the levels of a Real must differ in six significant digits, given {self}")

    @property
    def values(self) -> tuple[Value, ...]:
        return _real_grid(self)


@cache
def _real_grid(dimension: Real) -> tuple[Value, ...]:
    spaced = np.geomspace if dimension.log else np.linspace
    return tuple(_significant(value) for value in spaced(dimension.low, dimension.high, dimension.levels))


Dimension: TypeAlias = Choice | Integer | Real


def is_ordinal(dimension: Dimension) -> bool:
    """Whether neighbouring codes are neighbouring values."""
    return not isinstance(dimension, Choice) or dimension.ordered


@cache
def positions(dimension: Dimension) -> NDArray[np.float32]:
    """Position of each value of an ordinal dimension in [0, 1], shape (size,): min-max, of the logarithm if ``log``."""
    if isinstance(dimension, Choice):
        level = np.arange(len(dimension.values), dtype=np.float64)
    else:
        level = np.asarray(dimension.values, dtype=np.float64)
        if dimension.log:
            level = np.log(level)
    span = level[-1] - level[0]
    scaled = (level - level[0]) / span if span > 0 else np.zeros_like(level)
    return scaled.astype(np.float32)


def nearest_code(dimension: Dimension, value: object, *, clip: bool) -> int | None:
    """The code of a value; of a number between the levels of an ordinal dimension that of the nearest level.

    Near is a matter of logarithms where the dimension is logarithmic. A truth value equals no number.

    Args:
        dimension: gives the values.
        value: what is looked up.
        clip: whether a number beyond the levels takes the outermost one.

    Returns:
        None where there is no such code.
    """
    for code, known in enumerate(dimension.values):
        if known == value and isinstance(known, bool) == isinstance(value, bool):
            return code
    if not (is_ordinal(dimension) and _is_number(value) and all(map(_is_number, dimension.values))):
        return None
    level_L, number = np.array(dimension.values, dtype=float), np.array(value, dtype=float)
    if not clip and not level_L.min() <= number <= level_L.max():
        return None
    if not isinstance(dimension, Choice) and dimension.log:
        level_L, number = np.log(level_L), np.log(number)
    return int(np.argmin(np.abs(level_L - number)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
