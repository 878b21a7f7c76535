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
