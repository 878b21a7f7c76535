"""The journal file of a study: several entries in one write for its writer, none for its readers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend


class Journal(JournalFileBackend):
    """A journal that can take several entries in one write: each write waits until the disk has it."""

    _held: list[dict[str, Any]] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is appended in the block is written at its end; nothing of it if the block raises."""
        self._held = []
        try:
            yield
            held, self._held = self._held, None
            self.append_logs(held)
        finally:
            self._held = None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        if self._held is None:
            super().append_logs(logs)
        else:
            self._held.extend(logs)


class ReadOnlyJournal(JournalFileBackend):
    """A journal of which nothing is changed; a last line that is being written is left out."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        raise PermissionError("this study was opened for reading; nothing may be written")


def is_entry(line: bytes) -> bool:
    """Whether a line of a journal, or of another file of JSON lines, is whole."""
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def damaged_lines(path: Path) -> list[int]:
    """Numbers, from 1, of the lines that are no entries."""
    with path.open("rb") as lines:
        return [number for number, line in enumerate(lines, start=1) if not is_entry(line)]
