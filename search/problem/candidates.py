"""Files of candidates: what ``evolve`` writes and ``train`` reads."""

import json
from collections.abc import Sequence
from pathlib import Path

from search.files import read_json, write_text
from spaces.candidate import Candidate
from spaces.mistake import Mistake


def write_candidates(candidates: Sequence[Candidate], path: Path) -> None:
    """Write candidates as ``read_candidates`` reads them."""
    entries = [{"candidate": candidate.to_dict()} for candidate in candidates]
    write_text(path, json.dumps(entries, indent=1) + "\n")


def read_candidates(path: Path) -> list[Candidate]:
    """The different candidates of a file: one candidate, or a list of entries with a ``candidate`` each.

    Raises:
        Mistake: the file is missing, not JSON, or holds something else.
    """
    content = read_json(path)
    entries = content if isinstance(content, list) else [{"candidate": content}]
    fields = [entry["candidate"] for entry in entries if isinstance(entry, dict) and "candidate" in entry]
    if not entries or len(fields) < len(entries) or not all(isinstance(one, dict) for one in fields):
        raise Mistake(
            f"'{path}' holds no candidates: it should be one candidate, or a list of entries with a 'candidate' each"
        )
    try:
        candidates = [Candidate.from_dict(one) for one in fields]
    except (ValueError, TypeError) as error:
        raise Mistake(f"'{path}' holds no candidates: {error}") from error
    return list(dict.fromkeys(candidates))
