"""Files that appear whole or not at all, and the sums that prove it."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spaces.mistake import Mistake
from trainables.stored import write_whole

SUMS = "SHA256SUMS"
"""Name of the file of checksums in a folder; ``sha256sum --check SHA256SUMS`` reads it."""
LOCK = ".lock"
"""Name of the empty file by which one process keeps others out of a folder."""


class DamagedFiles(Mistake):
    """A folder whose files are not those that its checksums name."""


def write_text(path: Path, text: str) -> None:
    """Write a file whole: a reader sees the old content or the new one."""
    write_whole(path, lambda stream: stream.write(text.encode()))


def write_if_absent(path: Path, text: str) -> None:
    """Write a whole file unless it exists: of several processes, the first one's file stays."""
    own = path.with_name(f".{path.name}.{os.getpid()}")
    write_text(own, text)
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()


def drop_torn_line(path: Path) -> int:
    """Cut off a last line that a process left unfinished when it was killed.

    Returns:
        Bytes of the file, 0 if there is none.
    """
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return whole


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        Mistake: it does not exist or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Mistake(f"{path} does not exist") from None
    except (ValueError, RecursionError) as error:  # no text, no JSON, or nested without end
        raise Mistake(f"{path} is not JSON: {error}") from None
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror or error}") from None


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``target``, with checksums, when the block ends without an error.

    A process that dies inside leaves at most a hidden temporary folder, which the next call for the target removes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}.*.tmp"):
        shutil.rmtree(left)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp"))
    temporary.chmod(0o755)
    try:
        yield temporary
        _open_to_read(temporary)
        _write_sums(temporary)
        if target.exists():
            target.rename(temporary.with_name(f".{target.name}.old.tmp"))
        temporary.rename(target)
    finally:
        for left in target.parent.glob(f".{target.name}.*.tmp"):
            shutil.rmtree(left)


def _open_to_read(folder: Path) -> None:
    """Let everyone read what some libraries write for its owner alone; nothing in a result is a program to start."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


@contextlib.contextmanager
def alone(folder: Path, *, keep_lock: bool = True) -> Iterator[None]:
    """Hold the lock of a folder that exists, which the system takes back from a process that dies.

    Args:
        folder: kept to this process.
        keep_lock: whether the lock's file stays when the block has ended well; not in what is handed over.

    Raises:
        Mistake: another process works on it.
    """
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lost = os.fstat(lock.fileno()).st_nlink == 0  # removed by its holder since it was opened here
        except BlockingIOError:
            lost = True
        if lost:
            raise Mistake(f"another process works on '{folder}'; wait for it or stop it first")
        yield
        if not keep_lock:
            (folder / LOCK).unlink()


def is_held(folder: Path) -> bool:
    """Whether a process works on a folder."""
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def check_writable(folder: Path) -> None:
    """Whether a folder can be written, or made if it does not exist; tried in the nearest one that does.

    Raises:
        Mistake: it cannot.
    """
    try:
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        raise Mistake(f"'{folder}' cannot be written ({error.strerror or error}); choose another place") from error


def is_sqlite(path: Path) -> bool:
    """Whether a file is an SQLite database, or none yet.

    Raises:
        OSError: it cannot be read.
    """
    if not path.exists():
        return True
    with path.open("rb") as stream:
        return stream.read(16) in (b"", b"SQLite format 3\0")


def _sum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_sums(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    write_text(folder / SUMS, "".join(f"{_sum(path)}  {path.relative_to(folder).as_posix()}\n" for path in files))


def check_sums(folder: Path) -> None:
    """Compare a folder with its checksums.

    Raises:
        DamagedFiles: no checksums, a file that is missing, or one whose content is another.
    """
    sums = folder / SUMS
    if not sums.is_file():
        raise DamagedFiles(f"{folder} has no {SUMS}: it was never finished; export it again")
    for line in sums.read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition("  ")
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DamagedFiles(f"{sums} names '{name}', which is outside its folder: it was edited")
        if not path.is_file() or _sum(path) != expected:
            raise DamagedFiles(f"{path} is missing or not the file that was exported; export it again")
