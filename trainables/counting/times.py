"""Measured times of a forward pass; imports nothing heavy, so that a family is read without torch."""

from dataclasses import dataclass

UNSTEADY = 0.5
"""Spread of a time as a share of its median above which other work is taken to have been in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Time of one forward pass on this device.

    Attributes:
        median_ms: median over the repeats, milliseconds.
        spread_ms: interquartile range, milliseconds.
        runtime, threads, batch, repeats: how it was measured.
    """

    median_ms: float
    spread_ms: float
    runtime: str
    threads: int
    batch: int
    repeats: int


def is_unsteady(median_ms: float, spread_ms: float) -> bool:
    """Whether other work was in the way of a measurement."""
    return spread_ms > UNSTEADY * median_ms
