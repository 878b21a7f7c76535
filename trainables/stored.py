"""What is kept on disk: files that appear whole or not at all, and images of which only the rows asked for are read."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


def machine_cache(name: str) -> Path:
    """A folder that this machine keeps for all runs: in ``$NARS_CACHE``, by default ``~/.cache/nars``."""
    return Path(os.environ.get("NARS_CACHE") or Path.home() / ".cache" / "nars") / name


def write_whole(path: Path, write: Callable[[IO[bytes]], object], *, alone: bool = False) -> None:
    """Write a file under a temporary name, then rename it: a reader sees the old content or the new one.

    Args:
        path: replaced if it exists; a process that dies before leaves a hidden ``.NAME.*.tmp`` beside it.
        write: writes the content.
        alone: whether no other process writes this file meanwhile; the temporary name is then ``NAME.tmp``, so that the
            next writer replaces what a dead one has left.
    """
    if alone:
        temporary = path.with_name(f"{path.name}.tmp")
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    else:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would hide results from the colleagues of who ran the search
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows ``row_N`` of an array of images (M, C, H, W), uint8, memory-mapped perhaps; eight bytes of memory a row.

    Where ``row_N`` is (N, T), image n is a clip: the channels of T rows, one row's after another's. ``names`` is a file
    with the name of each of the M, a JSON string a line.
    """

    image_MCHW: NDArray[np.uint8]
    row_N: NDArray[np.int64]
    names: Path | None = None

    def __len__(self) -> int:
        return len(self.row_N)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        _, channels, *sides = self.image_MCHW.shape
        frames = self.row_N.shape[1] if self.row_N.ndim == 2 else 1
        return (len(self.row_N), frames * channels, *sides)

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        row = self.row_N[rows]
        image: NDArray[np.uint8] = self.image_MCHW[row]
        return image if self.row_N.ndim == 1 else image.reshape(*row.shape[:-1], *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def take(self, rows_B: NDArray[np.int64]) -> "Stored":
        """Some of the rows, without reading them."""
        return Stored(self.image_MCHW, self.row_N[rows_B], self.names)
