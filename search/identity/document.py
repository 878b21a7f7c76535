"""``run.json``, the identity of a run in its folder."""

import json
from pathlib import Path

from search.errors import UsageError
from search.files import read_json, write_text
from search.identity.identity import Identity

FILE = "run.json"
FORMAT = 1
"""Version of the file; raised when a reader of the old version would misread the new one."""


class DamagedRun(UsageError):
    """A file of a run is not what the run wrote."""


def write_identity(folder: Path, identity: Identity) -> None:
    """Write the file whole."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"format": FORMAT, **identity.to_json()}
    write_text(folder / FILE, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def read_identity(folder: Path) -> Identity | None:
    """Read it; None for a run that was begun before there were identities.

    Raises:
        DamagedRun: the file was damaged or edited, or a later version wrote it.
    """
    path = folder / FILE
    if not path.exists():
        return None
    document = read_json(path)
    mend = "put it back from a copy of the run"
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        given = document.get("format") if isinstance(document, dict) else document
        raise DamagedRun(f"'{path}' has format {given!r}; this version reads {FORMAT}; {mend}")
    try:
        return Identity.from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedRun(f"'{path}' was damaged or edited ({error!s:.200}); {mend}") from error
