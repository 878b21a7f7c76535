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
    try:
        entries = content if isinstance(content, list) else [{"candidate": content}]
        candidates = [Candidate.from_dict(entry["candidate"]) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise Mistake(f"'{path}' holds no candidates: {error}") from error
    if not candidates:
        raise Mistake(f"'{path}' holds no candidates")
    return list(dict.fromkeys(candidates))
