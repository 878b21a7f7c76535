"""The configuration that lies in the folder of a run, which is all that is opened of it here."""

from pathlib import Path
from typing import Any

from search.errors import UsageError
from search.identity.document import read_identity
from search.identity.identity import changed_keys, listed
from search.setting.config import Config, read
from trainables.data.splitting import SPLIT


def saved(folder: Path) -> Config:
    """The configuration of a run, which has the name and the place of its folder.

    Raises:
        UsageError: the folder holds no run, or its configuration was edited after the run had begun.
        ConfigError: the configuration cannot be read.
    """
    path = folder / "config.yaml"
    if not path.exists():
        raise UsageError(
            f"'{folder}' holds no run (it has no config.yaml); start one with: python -m search run CONFIG"
        )
    config = read(path).stored
    identity = read_identity(folder)
    if identity is not None:
        changed = changed_keys(_plain(config), _plain(Config.model_validate(identity.configuration).stored))
        if changed:
            raise UsageError(
                f"'{path}' was edited after the run had begun: {listed(changed)}. A run keeps its configuration: put "
                f"the old values back, or begin a new run from it: {words_of_new_run(folder)}"
            )
    # The folder may have been moved or copied: it is where it is, not where it was made.
    place = folder if folder.name not in ("", "..") else folder.resolve()
    return config.model_copy(update={"runs": str(place.parent), "name": place.name})


def resolved(config: Config) -> Config:
    """A configuration with the keywords of its data source that it left to their defaults."""
    return config.model_copy(update={"data": config.data.resolved})


def continued(config: Config, file: Path | str) -> Config:
    """A configuration that is to go on with the run in its folder, resolved as when the run was begun with it.

    Args:
        config: as it was read.
        file: where it is from, for the message.

    Raises:
        UsageError: something that decides what comes out is another.
    """
    folder = config.folder
    begun = saved(folder)
    if SPLIT in begun.data.keywords and SPLIT not in config.data.keywords:
        data = config.data.model_copy(update={SPLIT: begun.data.keywords[SPLIT]})
        config = config.model_copy(update={"data": data})
    config = resolved(config)
    changed = changed_keys(_plain(config), _plain(begun))
    if changed:
        raise UsageError(
            f"'{folder}' holds a run of another configuration than '{file}': {listed(changed)}. Choose another 'name' "
            f"in '{file}' for a new run, or go on with the one that is there: python -m search resume {folder}"
        )
    return config


def words_of_new_run(folder: Path) -> str:
    """How to begin a new run from the configuration of one."""
    return f"copy '{folder / 'config.yaml'}', give the copy another 'name', then: python -m search run COPY"


def _plain(config: Config) -> dict[str, Any]:
    return resolved(config).model_dump(mode="json")
