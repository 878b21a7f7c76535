"""Whether a tracking address answers, without writing to it and without importing MLflow."""

import urllib.error
import urllib.request
from pathlib import Path

from spaces.mistake import Mistake

TIMEOUT_S = 5.0


def check_address(uri: str) -> None:
    """Ask a server for any answer; of a file, whether its folder exists. Other addresses are MLflow's own affair.

    Raises:
        Mistake: nothing answers there.
    """
    scheme = uri.partition(":")[0]
    if scheme in ("http", "https"):
        try:
            with urllib.request.urlopen(uri.rstrip("/") + "/health", timeout=TIMEOUT_S):
                pass
        except urllib.error.HTTPError:
            return  # a server that asks for a password answers, too
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Mistake(f"tracking.uri '{uri}' does not answer ({reason}); start the server") from error
    elif scheme == "sqlite":
        from sqlalchemy.engine import make_url

        folder = Path(make_url(uri).database or "").absolute().parent
        if not folder.is_dir():
            raise Mistake(f"tracking.uri '{uri}' needs the folder '{folder}', which does not exist")
