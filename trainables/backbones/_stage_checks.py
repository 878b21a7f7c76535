"""What backbones of stages refuse, and how their stochastic depth rises; without torch."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def drop_rates(depth: Sequence[int], last: float) -> list[list[float]]:
    """Probability of skipping each block of each stage: rises linearly from 0 to ``last``."""
    rates = iter(np.linspace(0.0, last, sum(depth)).tolist())
    return [[next(rates) for _ in range(blocks)] for blocks in depth]


def check_stages(family: str, **per_stage: Sequence[Any]) -> None:
    """Refuse lists that do not have an item for each stage.

    Raises:
        ValueError: their lengths differ.
    """
    if len({len(items) for items in per_stage.values()}) > 1:
        given = ", ".join(f"{name} {list(items)}" for name, items in per_stage.items())
        raise ValueError(f"a {family} needs an item for each stage in every list, given {given}")


def check_heads(family: str, width: Sequence[int], head_width: int) -> None:
    """Refuse attention whose heads do not fill its width.

    Raises:
        ValueError: a width is no multiple of the head's.
    """
    if any(channels % head_width for channels in width):
        raise ValueError(
            f"widths of a {family}'s attention are multiples of its head_width {head_width}, given {list(width)}"
        )


def check_side(resolution: int, strides: Sequence[int]) -> None:
    """Refuse an image of which the strides leave less than one position.

    Raises:
        ValueError: the product of the strides is above the side.
    """
    if resolution < math.prod(strides):
        raise ValueError(
            f"an image of {resolution} pixels is too small for the strides {list(strides)}; "
            "use a larger resolution, a smaller stem_stride or fewer stages"
        )
