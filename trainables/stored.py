"""Images on disk as an array, of which only the rows that are asked for are read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows ``row_N`` of a memory-mapped array of images (M, C, H, W), uint8; eight bytes of memory a row."""

    image_MCHW: NDArray[np.uint8]
    row_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row_N)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        return (len(self.row_N), *self.image_MCHW.shape[1:])

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self.image_MCHW[self.row_N[rows]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def take(self, rows_B: NDArray[np.int64]) -> "Stored":
        """Some of the rows, without reading them."""
        return Stored(self.image_MCHW, self.row_N[rows_B])
