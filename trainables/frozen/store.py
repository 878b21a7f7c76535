"""Arrays that several trainings need, made once: named by content, on disk, bounded, for any number of processes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from trainables.stored import machine_cache, write_whole

BOUND = 4 * 2**30
"""Bytes that a machine keeps by default."""
LARGEST = 1 / 4
"""Share of the bound that one array may take; it is in memory while it is made."""
LOCKS = 2
"""Hexadecimal digits of a key that name its lock, so that there are not as many locks as arrays."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayStore:
    """Float arrays by key, at most so many bytes of them: the one longest unused goes first.

    Attributes:
        folder: made when first written.
        bound: bytes of all arrays together.
    """

    folder: Path
    bound: int = BOUND

    def takes(self, rows: int, columns: int) -> bool:
        """Whether an array of this shape is kept at all."""
        return rows * columns * np.dtype(np.float32).itemsize <= LARGEST * self.bound

    def array(self, key: str, make: Callable[[], Floats]) -> Floats:
        """The array of a key, mapped from disk; made and written first if it is not there.

        One process makes it while others wait. Where nothing can be written, it is made and not kept.

        Args:
            key: hexadecimal digits that say all that decides the content.
            make: gives the content.
        """
        path = self.folder / f"{key}.npy"
        present = _mapped(path)
        if present is not None:
            return present
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / f"{key[:LOCKS]}.lock")
            lock.acquire()
        except OSError:  # a disk that cannot be written costs time, not the training
            return make()
        try:
            present = _mapped(path)
            if present is not None:
                return present
            content = make()
            try:
                self._make_room(content.nbytes)
                write_whole(path, lambda stream: np.save(stream, content))
            except OSError:
                return content
        finally:
            lock.release()
        return content

    def _make_room(self, wanted: int) -> None:
        """Remove arrays until there is room for so many bytes; whoever has one mapped keeps it."""
        with FileLock(self.folder / "room.lock"):
            stats = [(path, path.stat()) for path in self.folder.glob("*.npy")]
            present = sum(stat.st_size for _, stat in stats)
            for path, stat in sorted(stats, key=lambda pair: pair[1].st_mtime):
                if present + wanted <= self.bound:
                    break
                path.unlink(missing_ok=True)
                present -= stat.st_size


def store_of_machine() -> ArrayStore:
    """Features that this machine keeps: ``features`` in its cache (``$NARS_CACHE``), by content, so for all runs."""
    return ArrayStore(folder=machine_cache("features"))


def _mapped(path: Path) -> Floats | None:
    """An array on disk, which is marked as used; None where there is none."""
    try:
        content: Floats = np.load(path, mmap_mode="r")
        os.utime(path)
    except (OSError, ValueError, EOFError):  # not there, removed meanwhile, or damaged and soon replaced
        return None
    return content
