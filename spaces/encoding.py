"""Codes -> columns: all that a predictor sees of a candidate (FBNetV3, section 3.1)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spaces.dimensions import is_ordinal, positions
from spaces.space import Codes, Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The columns ``start:stop`` of one dimension: one column in [0, 1] if ordinal, else one-hot."""

    address: str
    start: int
    stop: int
    ordinal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which columns of x_NF belong to which dimension. Dimensions with a single value have no column."""

    groups: tuple[Group, ...]

    @property
    def width(self) -> int:
        return self.groups[-1].stop if self.groups else 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Name of each column."""
        return tuple(
            group.address if group.ordinal else f"{group.address}={position}"
            for group in self.groups
            for position in range(group.stop - group.start)
        )

    def of_role(self, role: str) -> NDArray[np.bool_]:
        """Which columns belong to ``architecture`` or ``recipe``, shape (F,)."""
        return np.array([name.startswith(f"{role}.") for name in self.columns], dtype=bool)


@lru_cache(maxsize=64)
def _layout(signature: tuple[tuple[str, int, bool], ...]) -> Layout:
    groups, start = [], 0
    for address, size, ordinal in signature:
        width = 0 if size == 1 else 1 if ordinal else size
        if width:
            groups.append(Group(address=address, start=start, stop=start + width, ordinal=ordinal))
        start += width
    return Layout(groups=tuple(groups))


def layout(space: Space) -> Layout:
    """The columns of a space."""
    return _layout(
        tuple(
            (address, len(dimension.values), is_ordinal(dimension))
            for address, dimension in zip(space.addresses, space.dimensions, strict=True)
        )
    )


def encode(space: Space, codes_ND: Codes) -> NDArray[np.float32]:
    """Columns x_NF of candidates, float32 in [0, 1]. An inactive dimension is zero in all its columns."""
    columns = layout(space)
    x_NF = np.zeros((len(codes_ND), columns.width), dtype=np.float32)
    rows_N = np.arange(len(codes_ND))
    for group in columns.groups:
        code_N = codes_ND[:, space.index[group.address]]
        active_N = code_N >= 0
        if group.ordinal:
            level = positions(space.dimension(group.address))
            x_NF[:, group.start] = np.where(active_N, level[code_N], np.float32(0))
        else:
            x_NF[rows_N[active_N], group.start + code_N[active_N]] = 1.0
    return x_NF
