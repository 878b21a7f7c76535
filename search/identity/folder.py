"""The folder of a run, opened as the run that it is: whatever does not match is refused in a sentence."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from search.errors import UsageError
from search.family.members import Family, load_family
from search.identity.data import DataIdentity
from search.identity.document import DamagedRun, read_identity
from search.identity.identity import (
    Identity,
    changed_space,
    described_space,
    listed,
    new_identity,
)
from search.identity.saved import saved, words_of_new_run
from search.record.storage import JOURNAL, NoStudy, open_storage, read_storage, study_names
from search.record.study import Study
from search.record.trial import study_digest
from search.setting.config import Config, read
from search.setting.setting import Setting, prepare

DIGEST = "run"
"""Name of the note in the study that holds the digest of its run."""

LOG = "search.log"


def prepare_run(config: Config) -> Setting:
    """What a run that was begun works with, once data and space are known to be the run's.

    Args:
        config: of ``saved``.

    Raises:
        UsageError: the images or the space are not those that the run began with.
        Mistake: as ``prepare``.
    """
    return settled(prepare(config), begun=True)[0]


def settled(setting: Setting, *, begun: bool) -> tuple[Setting, Identity]:
    """A setting under the name of its study, and the identity of its run.

    Args:
        setting: of the run.
        begun: whether the folder holds the run already; if it has no identity, it is from before there were any.

    Raises:
        UsageError: the images or the space are not those that the run began with.
    """
    config, data = setting.config, DataIdentity.of(setting.splits)
    identity = read_identity(config.folder) if begun else None
    if identity is None:
        identity = new_identity(config.name, config.model_dump(mode="json"), data, setting.space)
        if begun:
            name = _first_name(config.folder)
            identity = replace(identity, name=name, study=name, begun=(config.folder / LOG).exists())
    else:
        _check(config.folder, identity, data, setting)
    return replace(setting, study=identity.study), identity


def _check(folder: Path, identity: Identity, data: DataIdentity, setting: Setting) -> None:
    words = list(data.differences(identity.data))
    if words:
        raise UsageError(
            f"the data of '{folder}' is not what it was when the run began: {listed(words)}. Put it back as it was, "
            f"or begin a new run on it: {words_of_new_run(folder)}"
        )
    words = changed_space(described_space(setting.space), identity.space)
    if words:
        raise UsageError(
            f"the space of '{folder}' is not what it was when the run began: {listed(words)}. Use the version of this "
            f"program that began the run, or begin a new run: {words_of_new_run(folder)}"
        )


def _first_name(folder: Path) -> str:
    """That the configuration of a run gave it, whatever its folder is called by now."""
    return read(folder / "config.yaml").name


# the study -----------------------------------------------------------------------------------------------------------


def open_study(setting: Setting, identity: Identity) -> Study:
    """The study of a run, to be written; made if the run has none yet.

    Raises:
        NoStudy: the run has had one, and it is not there any more.
        UsageError: the study is another run's.
        StorageError: its storage cannot be opened.
    """
    config = setting.config
    storage = open_storage(config.folder, config.run.storage)
    if not identity.begun and config.run.storage is None:
        _refuse_strangers(config.folder, study_names(storage), identity)
    try:
        study = Study(name=identity.study, storage=storage, space=setting.space, create=not identity.begun)
    except NoStudy as error:
        raise NoStudy(_lost(config, identity, study_names(storage))) from error
    noted = study.notes.get(DIGEST)
    if noted is None:
        study.note(DIGEST, identity.digest)
    elif noted != identity.digest:
        raise _another(config.folder)
    return study


def read_study(setting: Setting, *, encoded: bool) -> Study:
    """The study of a run, only read.

    Args:
        setting: of ``prepare_run``.
        encoded: whether its candidates are needed as rows of codes, so that the space has to know them.

    Raises:
        NoStudy: it is not there.
        UsageError: the study is another run's.
    """
    config = setting.config
    study = study_in(config.folder, config, setting.study, setting.space if encoded else None)
    identity = read_identity(config.folder)
    noted = study.notes.get(DIGEST)
    if identity is not None and noted is not None and noted != identity.digest:
        raise _another(config.folder)
    return study


def study_in(folder: Path, config: Config, name: str | None = None, space: Any = None) -> Study:
    """The study in a run's folder, only read, whatever has become of its data.

    Args:
        folder: of the run.
        config: of ``saved``.
        name: of the study, where it is known.
        space: of its candidates, if they are needed as codes.

    Raises:
        NoStudy: it is not there.
    """
    if name is None:
        identity = read_identity(folder)
        name = config.name if not (folder / "config.yaml").exists() else _first_name(folder)
        name = name if identity is None else identity.study
    storage = read_storage(folder, config.run.storage)
    try:
        return Study(name=name, storage=storage, space=space, create=False)
    except NoStudy:
        names = study_names(storage)
        held = f"; it holds {', '.join(names[:3])}" if names else ""
        raise NoStudy(f"there is no study '{name}' in the storage of '{folder}'{held}") from None


def _refuse_strangers(folder: Path, names: list[str], identity: Identity) -> None:
    if names and identity.study not in names:
        raise UsageError(
            f"'{folder / JOURNAL}' holds the study '{names[0]}' of another run than '{identity.study}', which is to "
            "begin here; choose another 'name', or move that folder away"
        )


def _lost(config: Config, identity: Identity, names: list[str]) -> str:
    where = f"'{config.folder / JOURNAL}'" if config.run.storage is None else "run.storage"
    held = f", only {', '.join(names[:3])}" if names else ""
    return (
        f"the study '{identity.study}' of '{config.folder}' is not in {where} any more{held}; put the file or the "
        f"database back from a copy, or begin a new run: {words_of_new_run(config.folder)}"
    )


def _another(folder: Path) -> DamagedRun:
    return DamagedRun(
        f"the study in '{folder}' is of a run with other data or another configuration than its run.json; one of the "
        "two was put there from elsewhere: put the right one back"
    )


def check_record(folder: Path, config: Config, family: Family) -> None:
    """That a family came from the trials that are in the run's folder.

    A family without a digest, and a study in a database, which may be away, are not looked at.

    Raises:
        DamagedRun: it came from others.
        NoStudy: there are none.
    """
    if not family.study or config.run.storage is not None:
        return
    trials = study_in(folder, config).trials()
    if study_digest(trials) != family.study:
        raise DamagedRun(
            f"the {len(trials)} trials in '{folder / JOURNAL}' are not those that the run's family came from: entries "
            "are missing or were changed, or one of the two is another run's; put the file back from a copy, or move "
            f"'{folder / 'family'}' away and have it written again: python -m search resume {folder}"
        )


# the family ----------------------------------------------------------------------------------------------------------


def family_folder(folder: Path) -> Path:
    """Where the family of a run is.

    Raises:
        UsageError: the folder holds no run, the run has no family yet, or the family is another run's.
    """
    family = saved(folder).folder / "family"
    if not (family / "family.json").is_file():
        raise UsageError(f"'{folder}' has no family yet; finish it with: python -m search resume {folder}")
    members = load_family(family)
    check_family(folder, members)
    check_record(folder, saved(folder), members)
    return family


def check_family(folder: Path, family: Family) -> None:
    """That a family is the run's.

    Raises:
        DamagedRun: it is another's.
    """
    identity = read_identity(folder)
    if identity is not None and family.run and family.run != identity.digest:
        raise DamagedRun(
            f"'{folder / 'family'}' is the family of a run with other data or another configuration; put this run's "
            f"back, or remove it and write it again: python -m search resume {folder}"
        )
