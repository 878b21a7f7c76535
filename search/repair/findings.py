"""What is wrong with the folder of a run: each finding says so, and how it is mended if it can be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from search.family.members import load_family
from search.files import DamagedFiles, check_sums
from search.identity.document import FILE, read_identity
from search.identity.folder import check_family, check_record, study_in
from search.identity.saved import saved
from search.record.journal import damaged_lines
from search.record.storage import JOURNAL
from search.repair import mending
from search.setting.config import Config, read
from search.tracking.outbox import QUEUE, mend_queue
from search.tracking.store_file import is_broken
from spaces.mistake import Mistake


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong.

    Attributes:
        what: in a sentence, without a full stop.
        mend: mends it and says what it did; None where a copy is needed.
        resumes: whether a resume has to write again afterwards what was set aside.
    """

    what: str
    mend: Callable[[], str] | None = None
    resumes: bool = False


def examine(folder: Path) -> list[Finding]:
    """What is wrong with the folder of a run; what rests on others is looked at after them."""
    first = list(_configuration_and_identity(folder))
    if first:
        return first
    config = saved(folder)
    record = list(_journal(folder, config))
    if record:
        return record
    return [*_family(folder, config), *_queue(folder), *_store(folder), *_leftovers(folder)]


def _configuration_and_identity(folder: Path) -> Iterator[Finding]:
    identity_error = config_error = None
    try:
        identity = read_identity(folder)
    except Mistake as mistake:
        identity, identity_error = None, str(mistake)
    try:
        (read if identity_error else saved)(folder / "config.yaml" if identity_error else folder)
    except Mistake as mistake:
        config_error = str(mistake)
    if config_error and identity is not None:
        yield Finding(what=config_error, mend=partial(mending.write_configuration, folder, identity))
    elif config_error:
        yield Finding(what=config_error)
    if identity_error:
        mend = None if config_error else partial(mending.write_identity_again, folder)
        yield Finding(what=identity_error, mend=mend)
    elif identity is None and not config_error and (folder / JOURNAL).exists() and not _is_old(folder):
        what = f"'{folder / FILE}', the identity of the run, is gone"
        yield Finding(what=what, mend=partial(mending.write_identity_again, folder))


def _is_old(folder: Path) -> bool:
    """Whether the run is from before there were identities: its study notes no digest."""
    return b'"run":' not in (folder / JOURNAL).read_bytes()


def _journal(folder: Path, config: Config) -> Iterator[Finding]:
    path = folder / JOURNAL
    if config.run.storage is not None:
        return
    if not path.exists():
        identity = read_identity(folder)
        if identity is None or identity.begun:
            yield Finding(what=f"'{path}', the record of the trials, is gone")
        return
    wrong = damaged_lines(path) if path.is_file() else []
    if wrong:
        lines = ", ".join(map(str, wrong[:5])) + ("" if len(wrong) <= 5 else ", ...")
        what = f"{len(wrong)} line(s) of '{path}' are no entries ({lines})"
        yield Finding(what=what, mend=partial(mending.drop_lines_of_study, folder, config))
        return
    try:
        study_in(folder, config)
    except Mistake as mistake:
        yield Finding(what=str(mistake))


def _family(folder: Path, config: Config) -> Iterator[Finding]:
    path = config.folder / "family"
    if not path.exists():
        return
    aside = partial(mending.set_aside, path)
    if not (path / "family.json").is_file():
        what = f"'{path}' was not finished or has lost its family.json"
        yield Finding(what=what, mend=aside, resumes=True)
        return
    try:
        family = load_family(path)
        check_family(folder, family)
    except Mistake as mistake:
        yield Finding(what=str(mistake), mend=aside, resumes=True)
        return
    try:
        check_record(folder, config, family)
    except Mistake as mistake:  # which of the two is wrong nobody can tell
        yield Finding(what=str(mistake))
        return
    for member in family.members:
        try:
            check_sums(path / member.name)
        except DamagedFiles as damage:
            what = str(damage).partition(";")[0]
            gone = mending.lacks_checkpoint(config, family)
            yield Finding(what=what, mend=None if gone else aside, resumes=True)
            return


def _queue(folder: Path) -> Iterator[Finding]:
    queue = folder / "tracking" / QUEUE
    if queue.exists():
        wrong = damaged_lines(queue)
        if wrong:
            what = f"{len(wrong)} line(s) of '{queue}' are no entries"
            yield Finding(what=what, mend=partial(mend_queue, queue.parent), resumes=True)


def _store(folder: Path) -> Iterator[Finding]:
    path = folder / "mlflow.db"
    if path.exists() and (reason := is_broken(path)):
        what = f"'{path}' cannot be read ({reason})"
        yield Finding(what=what, mend=partial(mending.set_aside, path), resumes=True)


def _leftovers(folder: Path) -> Iterator[Finding]:
    for path in sorted((*folder.glob(".family*.tmp"), *(folder / "family").glob(".member-*.tmp"))):
        yield Finding(what=f"'{path}' was left by a process that died", mend=partial(mending.remove, path))
