"""Checkpoints: whole or not there, never half written, and none that an earlier attempt can put in place of a later's.

A checkpoint ``trial-7.pt`` is kept as one file per attempt, ``trial-7.<attempt>.pt``. An attempt claims the next number
by an empty file before it reads, so that a worker of a lost machine that still runs only ever writes under its own,
lower number; the highest number that has content is the state. Without a claim the number is 0.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import fsspec
import torch
from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem

from spaces.mistake import FULL, Mistake
from trainables.stored import write_whole
from trainables.training.world import World

CLAIMS = 1000
"""Attempts of one trial beyond which something else is wrong."""


class CheckpointError(Mistake):
    """A checkpoint could not be written or read; the message names the file and the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The newest whole state of a training.

    Attributes:
        path: a local file, or any URI that fsspec can open (``file://``, ``s3://``, ...); its folder is made when
            first written.
        attempt: number under which is written; see ``claimed``.
        quota: bytes that the checkpoints in the same folder may take together; None for no bound.
    """

    path: Path | str
    attempt: int = 0
    quota: int | None = None

    def claimed(self) -> Self:
        """This checkpoint for a new attempt, whose writes replace those of all earlier ones and never the reverse.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        store = _store(self.path)
        try:
            store.fs.makedirs(store.folder, exist_ok=True)
            for attempt in range(max(self._sizes(store), default=0) + 1, CLAIMS):
                name = store.file(attempt)
                try:
                    if isinstance(store.fs, LocalFileSystem):
                        Path(name).touch(exist_ok=False)
                    else:
                        store.fs.pipe_file(name, b"", mode="create")
                except FileExistsError:
                    continue
                return replace(self, attempt=attempt)
        except OSError as error:
            raise CheckpointError(self._unwritable(error)) from error
        raise CheckpointError(f"checkpoint '{self.path}' was claimed {CLAIMS} times; remove it and resume")

    def save(self, state: dict[str, Any]) -> None:
        """Write to a temporary name, flush to disk, rename; then remove what earlier attempts wrote.

        Raises:
            CheckpointError: the disk is full, the folder cannot be written, or the quota does not allow it.
        """
        store = _store(self.path)
        try:
            content = io.BytesIO()
            torch.save(state, content)
            store.fs.makedirs(store.folder, exist_ok=True)
            self._check_quota(store, content.getbuffer().nbytes)
            store.write(self.attempt, content.getbuffer())
            for earlier in self._sizes(store):
                if earlier < self.attempt:
                    store.remove(store.file(earlier))
        except (OSError, RuntimeError) as error:
            # torch reports a failed write as RuntimeError.
            raise CheckpointError(self._unwritable(error)) from error

    def load(self) -> dict[str, Any] | None:
        """The newest state, or None if nothing has been written. Only tensors and plain values are read.

        Raises:
            CheckpointError: the file exists but is damaged.
        """
        store = _store(self.path)
        for _ in range(2):  # another attempt may replace the file between the listing and the reading
            written = [attempt for attempt, size in self._sizes(store).items() if size > 0]
            if not written:
                return None
            name = store.file(max(written))
            try:
                content = store.fs.cat_file(name)
                break
            except FileNotFoundError:
                continue
        else:
            return None
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except Exception as error:
            raise CheckpointError(f"checkpoint '{name}' is damaged ({error}); delete it and resume") from error
        return state

    def delete(self) -> None:
        """Remove what any attempt has written."""
        store = _store(self.path)
        for attempt in self._sizes(store):
            store.remove(store.file(attempt))

    def _sizes(self, store: "_Store") -> dict[int, int]:
        """Bytes written by attempt number; claimed ones have 0."""
        return {
            int(match["attempt"] or 0): size
            for name, size in store.sizes().items()
            if (match := re.fullmatch(rf"{re.escape(store.stem)}(\.(?P<attempt>\d+))?\.pt", name))
        }

    def _check_quota(self, store: "_Store", new: int) -> None:
        if self.quota is None:
            return
        # A leading point: of what a writer that was killed left, until the next start removes it.
        others = sum(size for name, size in store.sizes().items() if not name.lstrip(".").startswith(f"{store.stem}."))
        if others + new > self.quota:
            raise CheckpointError(
                f"checkpoint '{self.path}' of {new:,} bytes does not fit beside the {others:,} bytes of the other "
                f"trials: run.checkpoint_quota is {self.quota:,}; raise it or lower run.concurrent, and resume"
            )

    def _unwritable(self, error: Exception) -> str:
        if isinstance(error, OSError) and error.errno in FULL:
            return f"the disk is full: cannot write checkpoint '{self.path}' ({error}); free some space and resume"
        return f"cannot write checkpoint '{self.path}': {error}; mend that and resume"


@dataclass(frozen=True, slots=True)
class _Store:
    """The folder of a checkpoint on its file system."""

    fs: Any
    folder: str
    stem: str

    def file(self, attempt: int) -> str:
        return f"{self.folder}/{self.stem}.{attempt}.pt" if attempt else f"{self.folder}/{self.stem}.pt"

    def sizes(self) -> dict[str, int]:
        """Bytes of each file in the folder, by name."""
        if isinstance(self.fs, LocalFileSystem):
            try:
                entries = list(os.scandir(self.folder))
            except (FileNotFoundError, NotADirectoryError):
                return {}
            return {entry.name: _size(entry) for entry in entries}
        self.fs.invalidate_cache(self.folder)
        try:
            entries = self.fs.ls(self.folder, detail=True)
        except FileNotFoundError:
            return {}
        return {entry["name"].rstrip("/").rpartition("/")[2]: int(entry["size"] or 0) for entry in entries}

    def write(self, attempt: int, content: memoryview) -> None:
        if not isinstance(self.fs, LocalFileSystem):
            partial = f"{self.file(attempt)}.tmp"
            self.fs.pipe_file(partial, bytes(content))
            self.fs.mv(partial, self.file(attempt))
            return
        write_whole(Path(self.file(attempt)), lambda stream: stream.write(content), alone=True)

    def remove(self, name: str) -> None:
        try:
            self.fs.rm_file(name)
        except FileNotFoundError:  # an attempt before or after this one has removed it
            return


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0


def _store(path: Path | str) -> _Store:
    """Raises CheckpointError for a URI that fsspec cannot open."""
    try:
        fs, inside = fsspec.core.url_to_fs(str(path))
    except (ValueError, ImportError) as error:
        raise CheckpointError(f"checkpoints cannot be kept at '{path}': {error}") from error
    folder, _, name = inside.rpartition("/")
    return _Store(fs, folder, name.removesuffix(".pt"))


def drop_all_but(folder: str, names: set[str]) -> int:
    """Remove the checkpoints in a folder or URI but those of some names, and what killed writers left; how many.

    Args:
        folder: where they are; it need not exist.
        names: file names as in ``Checkpoint.path``, such as ``trial-7.pt``.

    Raises:
        CheckpointError: the folder is a URI that cannot be opened.
    """
    store = _store(f"{folder}/any.pt")
    stems = {name.removesuffix(".pt") for name in names}
    others = [
        name
        for name in store.sizes()
        if name.endswith(".tmp") or (name.endswith(".pt") and name.partition(".")[0] not in stems)
    ]
    for name in others:
        store.remove(f"{store.folder}/{name}")
    return len(others)


@contextmanager
def held(path: Path | None, world: World) -> Iterator[None]:
    """Hold a shared pretraining: a second trial waits, then finds what the first has written.

    The lock is the operating system's, which frees it when its holder is killed. The first worker holds it for all, and
    removes what a killed holder has left half written.
    """
    if path is None:
        yield
        return
    if world.rank == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock")
        lock.acquire()
        for partial in path.parent.glob(f"{path.stem}.*.tmp"):
            partial.unlink()
    world.barrier()
    try:
        yield
    finally:
        if world.rank == 0:
            lock.release()
