"""Where a study lies: a journal in the run's folder, or a database."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from weakref import finalize

from optuna.distributions import json_to_distribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal import _storage as reading
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from search.errors import brief
from search.files import check_writable, drop_torn_line, is_sqlite
from search.record.journal import Journal, ReadOnlyJournal, damaged_lines
from search.record.patience import StorageError, patiently
from search.words import expanded
from spaces.mistake import Mistake

JOURNAL = "study.journal"


class DamagedStudy(Mistake):
    """The journal of a study is not what was written."""


class NoStudy(Mistake):
    """There is no study to read: nothing has been trained."""


def open_storage(folder: Path, url: str | None) -> BaseStorage:
    """The storage at a URL, or the journal file in the run's folder.

    A process that was killed in the middle of a write leaves an unfinished last line, which is cut off here.

    Raises:
        StorageError: the URL names no database, its driver is not installed, or it does not answer.
    """
    if url is not None:
        try:
            return patiently(lambda: _of_database(expanded(url)), longest=30)
        except (ArgumentError, ImportError) as error:
            raise StorageError(_no_database(url, error)) from None
    _check_file(folder)
    drop_torn_line(folder / JOURNAL)
    return _of_journal(Journal(str(folder / JOURNAL)), folder)


def _of_database(url: str) -> RDBStorage:
    """A storage whose connections are closed once nobody holds it any more, or the process ends.

    A connection is tried before use, since a server that was restarted has closed it.
    """
    storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    finalize(storage, storage.engine.dispose)
    return storage


def check_storage(url: str) -> None:
    """Connect to a database without changing it; of a file, whether its folder exists.

    Raises:
        StorageError: the URL names no database, its driver is not installed, or it does not answer.
    """
    try:
        address = make_url(expanded(url))
        if address.get_backend_name() == "sqlite":
            _check_sqlite(url, Path(address.database or "").absolute())
            return
        engine = create_engine(address)
        try:
            engine.connect().close()
        finally:
            engine.dispose()
    except (ArgumentError, ImportError) as error:
        raise StorageError(_no_database(url, error)) from None
    except DBAPIError as error:
        place = _without_password(url)
        raise StorageError(f"run.storage '{place}' does not answer ({brief(error)}); start it") from error


def _check_sqlite(url: str, path: Path) -> None:
    if not path.parent.is_dir():
        raise StorageError(f"run.storage is '{url}', but there is no folder '{path.parent}': make it first")
    check_writable(path.parent)
    try:
        is_database = is_sqlite(path)
    except OSError as error:
        raise StorageError(f"run.storage '{url}' cannot be read ({error.strerror or error})") from error
    if not is_database:
        raise StorageError(f"run.storage is '{url}', but that file is no SQLite database; choose another")


def read_storage(folder: Path, url: str | None) -> BaseStorage:
    """The storage of a run that may be going on: a journal is opened without repairing it or writing to it.

    Raises:
        NoStudy: the folder has no journal.
        StorageError: as ``open_storage``.
    """
    if url is not None:
        return open_storage(folder, url)
    if not (folder / JOURNAL).exists():
        raise NoStudy(f"'{folder}' has no study yet: nothing in it has been trained")
    _check_file(folder)
    return _of_journal(ReadOnlyJournal(str(folder / JOURNAL)), folder)


def _check_file(folder: Path) -> None:
    path = folder / JOURNAL
    if path.exists() and not path.is_file():
        raise DamagedStudy(f"'{path}', the record of the trials, is no file; put it back from a copy of the run")


def _of_journal(backend: JournalFileBackend, folder: Path) -> JournalStorage:
    """The storage whose entries a journal holds, all of which are read here."""
    try:
        with _ranges_read_once():
            return JournalStorage(backend)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError) as error:
        wrong = damaged_lines(folder / JOURNAL)
        where = f"line {wrong[0]} is no entry" if wrong else f"an entry does not fit ({error!s:.100})"
        raise DamagedStudy(
            f"'{folder / JOURNAL}', the record of the trials, was damaged or edited: {where}; python -m search repair "
            f"{folder} says what is wrong and mends what it can"
        ) from error


@contextmanager
def _ranges_read_once() -> Iterator[None]:
    """Every trial of a journal repeats the ranges of its dimensions as text: each text is read once, and shared.

    Of 5,000 trials that is two thirds of the time that opening takes, and most of the memory.
    """
    reading.json_to_distribution = cache(json_to_distribution)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        reading.json_to_distribution = json_to_distribution  # type: ignore[attr-defined]


def study_names(storage: BaseStorage) -> list[str]:
    """Names of the studies in a storage."""
    return [study.study_name for study in patiently(storage.get_all_studies)]


def _no_database(url: str, error: Exception) -> str:
    return (
        f"run.storage is '{_without_password(url)}', which cannot be opened ({' '.join(str(error).split())}); "
        "it can be sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME with: pip install 'psycopg[binary]'"
    )


def _without_password(url: str) -> str:
    return re.sub(r"//([^:/@]*):[^@]*@", r"//\1:***@", url)
