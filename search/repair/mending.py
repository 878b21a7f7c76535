"""What mends the folder of a run. Nothing is thrown away: what was wrong stays beside it under another name."""

import shutil
from dataclasses import replace
from pathlib import Path

from search.errors import UsageError
from search.family.members import Family
from search.files import write_text
from search.identity.data import DataIdentity
from search.identity.document import FILE, write_identity
from search.identity.folder import DIGEST
from search.identity.identity import Identity, new_identity
from search.identity.saved import resolved
from search.record.journal import is_entry
from search.record.storage import JOURNAL, read_storage, study_names
from search.record.study import Study
from search.record.trial import training_seed
from search.setting.config import Config, read
from search.setting.setting import prepare
from search.tracking import store_file
from trainables.training.checkpoint import Checkpoint


def set_aside(path: Path) -> str:
    """Give it another name."""
    return f"'{path}' is now '{store_file.set_aside(path).name}'"


def remove(path: Path) -> str:
    """Remove what is of no use."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return f"'{path}' was removed"


def write_configuration(folder: Path, identity: Identity) -> str:
    """The configuration that the run's identity holds."""
    path = folder / "config.yaml"
    kept = f"; what was there is now '{store_file.set_aside(path).name}'" if path.exists() else ""
    write_text(path, Config.model_validate(identity.configuration).dump())
    return f"'{path}' is what the run began with{kept}"


def write_identity_again(folder: Path) -> str:
    """The identity of a run from its configuration, data and space, if they are those of its study.

    Raises:
        UsageError: they are not, so that an old copy is needed.
        Mistake: the data cannot be read.
    """
    config = resolved(read(folder / "config.yaml").stored)
    setting = prepare(config)
    identity = new_identity(config.name, config.model_dump(mode="json"), DataIdentity.of(setting.splits), setting.space)
    storage = read_storage(folder, config.run.storage)
    for name in study_names(storage):
        study = Study(name=name, storage=storage, space=None, create=False)
        if study.notes.get(DIGEST) == identity.digest:
            if (folder / FILE).exists():
                store_file.set_aside(folder / FILE)
            write_identity(folder, replace(identity, study=name, begun=True))
            return f"'{folder / FILE}' was written again: data, space and configuration are those of the study"
    raise UsageError(
        f"'{folder / FILE}' cannot be written again: the study is of a run with other data, another space or another "
        "configuration than those that are here; put the file back from a copy"
    )


def drop_lines(path: Path) -> str:
    """Leave the lines out that are no entries; the file as it was stays beside it."""
    content = path.read_bytes()
    aside = store_file.set_aside(path)
    whole = [line for line in content.splitlines(keepends=True) if is_entry(line)]
    write_text(path, b"".join(whole).decode())
    return f"'{path}' has its {len(whole)} whole lines; what was there is now '{aside.name}'"


def drop_lines_of_study(folder: Path, config: Config) -> str:
    """The same with the journal of a study, if what is left is a record without a gap.

    Raises:
        UsageError: it is not; the journal stays as it was.
    """
    path = folder / JOURNAL
    before = path.read_bytes()
    said = drop_lines(path)
    try:
        _check_gaps(folder, config)
    except Exception as error:  # whatever Optuna says of entries that others were the ground of
        path.write_bytes(before)
        raise UsageError(
            f"'{path}' cannot be mended: without its damaged lines it is no record any more ({error!s:.200}); put it "
            "back from a copy"
        ) from error
    return said


def _check_gaps(folder: Path, config: Config) -> None:
    """Every trial has the seed of its number, so that none before it is missing; raises what the storage raises."""
    storage = read_storage(folder, None)
    for name in study_names(storage):
        for trial in Study(name=name, storage=storage, space=None, create=False).trials():
            if trial.seed != training_seed(config.seed, trial.number):
                raise ValueError(f"a trial before number {trial.number} is missing")


def lacks_checkpoint(config: Config, family: Family) -> bool:
    """Whether a network of the family would have to be trained again."""
    where = config.run.checkpoints or str(config.folder)
    return any(Checkpoint(path=f"{where}/{member.checkpoint}").load() is None for member in family.members)
