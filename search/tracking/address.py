"""Whether a tracking address answers, without writing to it and without importing MLflow."""

import urllib.error
import urllib.request
from pathlib import Path

from search.files import is_sqlite
from search.words import expanded, masked
from spaces.mistake import Mistake

TIMEOUT_S = 5.0
OTHERS = ("postgresql", "mysql", "mssql", "databricks", "uc", "file")
"""Schemes of MLflow whose places nothing is known of here."""


def check_address(uri: str) -> None:
    """Ask a server for any answer; of a file, whether its folder exists.

    Raises:
        Mistake: nothing answers there, or MLflow has no such addresses.
    """
    scheme = uri.partition(":")[0]
    if scheme in ("http", "https"):
        _ask(uri)
    elif scheme == "sqlite":
        _check_file(uri)
    elif scheme.partition("+")[0] not in OTHERS:
        raise Mistake(f"tracking.uri '{masked(uri)}' is no address; it can be http://HOST:PORT or sqlite:///FILE.db")


def _ask(uri: str) -> None:
    try:
        with urllib.request.urlopen(expanded(uri).rstrip("/") + "/health", timeout=TIMEOUT_S):
            pass
    except urllib.error.HTTPError:
        return  # a server that asks for a password answers, too
    except Mistake:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Mistake(f"tracking.uri '{masked(uri)}' does not answer ({reason}); start the server") from error


def _check_file(uri: str) -> None:
    path = Path(uri.removeprefix("sqlite:///")).absolute()
    if not path.parent.is_dir():
        raise Mistake(f"tracking.uri '{uri}' needs the folder '{path.parent}', which does not exist")
    try:
        is_database = is_sqlite(path)
    except OSError as error:
        raise Mistake(f"tracking.uri '{uri}' cannot be read ({error.strerror or error})") from error
    if not is_database:
        raise Mistake(f"tracking.uri '{uri}' is no SQLite database; choose another file")
