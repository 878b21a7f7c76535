"""Images of any shape on disk, encoded, from which every epoch cuts its own squares."""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.decoding import Decoding, square

QUALITY = 95
"""Of JPEG as Pillow counts it, for what is kept of a photograph."""


def encoded(image: Image.Image, shorter: int) -> bytes:
    """A JPEG of the image, made smaller (bicubic, antialiased) until its shorter side has ``shorter`` pixels."""
    width, height = image.size
    if min(width, height) > shorter:
        scale = shorter / min(width, height)
        size = (max(shorter, round(width * scale)), max(shorter, round(height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Photographs:
    """Rows ``row_N`` of a file of M JPEGs, one after the other; sixteen bytes of memory a row.

    Where squares are asked for, as an array of images is, they are decoded as an evaluation sees an image.

    Attributes:
        content: the file.
        start_M1: where each of the M begins, and where the last one ends.
        row_N: which of them these are.
        decoding: from a JPEG to a square.
        names: file with the name of each of the M, a JSON string a line.
    """

    content: Path
    start_M1: NDArray[np.int64]
    row_N: NDArray[np.int64]
    decoding: Decoding
    names: Path

    def __len__(self) -> int:
        return len(self.row_N)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, side, side) of the squares."""
        return (len(self.row_N), self.decoding.channels, self.decoding.side, self.decoding.side)

    def whole(self, row: int) -> Image.Image:
        """An image as it is stored, RGB or grey."""
        return Image.open(io.BytesIO(self.content_of(row)), formats=("JPEG",))

    def content_of(self, row: int) -> bytes:
        """The JPEG of an image."""
        begin, end = self.start_M1[self.row_N[row]], self.start_M1[self.row_N[row] + 1]
        # Opened anew, so that a process that was forked does not share a place in the file.
        with self.content.open("rb") as file:
            file.seek(begin)
            return file.read(end - begin)

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        """The squares of some rows, uint8 (B, C, side, side); of one row (C, side, side)."""
        chosen = np.arange(len(self))[rows]
        if chosen.ndim == 0:
            return square(self.whole(int(chosen)), self.decoding)
        if not len(chosen):
            return np.empty((0, *self.shape[1:]), dtype=np.uint8)
        return np.stack([square(self.whole(row), self.decoding) for row in chosen.tolist()])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def take(self, rows_B: NDArray[np.int64]) -> "Photographs":
        """Some of the rows, without reading them."""
        return replace(self, row_N=self.row_N[rows_B])
