"""A queue on disk between the search and a slow or absent receiver.

The file is an append-only log of everything ever put, so that a receiver that lost everything can be given it again.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from search.errors import brief
from search.files import drop_torn_line, write_text
from search.record.journal import damaged_lines, is_entry
from search.tracking.store_file import set_aside

log = logging.getLogger(__name__)

LONGEST_RETRY_S = 60.0
"""Longest pause between two attempts to deliver."""

CLOSE_TIMEOUT_S = 5.0
"""How long closing waits for the delivery that is under way; a receiver that hangs must not hold up the end."""

QUEUE, SENT = "queue.jsonl", "sent"

Entry = Mapping[str, Any]


def mend_queue(folder: Path) -> str:
    """Leave the lines of a queue out that are no entries, and forget what was sent; says so.

    What is missing then is put again by whoever holds the record, and what was sent before changes nothing.
    """
    queue = folder / QUEUE
    content = queue.read_bytes()
    whole = [line for line in content.splitlines(keepends=True) if is_entry(line)]
    aside = set_aside(queue)
    (folder / SENT).unlink(missing_ok=True)
    write_text(queue, b"".join(whole).decode())
    return f"'{queue}' has its {len(whole)} whole lines, and what was there is now '{aside.name}'"


class Refused(Exception):
    """The receiver will never take this entry; it is set aside instead of being sent again and again."""


class Outbox:
    """Entries are written to disk at once, and delivered in order by a thread that never holds up who puts them.

    Delivery is at least once: an entry may come again after a kill, so that the receiver must tell it from a new one.

    Args:
        folder: holds ``queue.jsonl`` (all entries), ``sent`` (how far, in bytes), ``refused.jsonl``.
        connect: called in the thread before the first delivery, and again after one that failed. Returns the function
            that delivers an entry, and whether the receiver still knows what was sent; if not, all is sent again.
        retry_s: pause after the first failure; doubles with each further one, up to ``LONGEST_RETRY_S``.
    """

    def __init__(
        self,
        folder: Path,
        connect: Callable[[], tuple[Callable[[Entry], None], bool]],
        *,
        retry_s: float = 1.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._queue, self._sent, self._refused = folder / QUEUE, folder / SENT, folder / "refused.jsonl"
        self._connect, self._retry_s = connect, retry_s
        self._size = drop_torn_line(self._queue)
        if self._queue.exists() and damaged_lines(self._queue):
            log.warning("%s: what was put there and is missing now is put again", mend_queue(folder))
            self._size = self._queue.stat().st_size
        self._offset = self._read_offset()
        self._connected = self._progressed = False
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def entries(self) -> Iterator[dict[str, Any]]:
        """Everything that was ever put, in order."""
        if self._queue.exists():
            with self._queue.open(encoding="utf-8") as lines:
                yield from map(json.loads, lines)

    def put(self, entry: Entry) -> None:
        """Write an entry; it is delivered later."""
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        with self._changed:
            with self._queue.open("ab") as stream:
                stream.write(line)
            self._size += len(line)
            self._changed.notify_all()
        self.start()

    @property
    def waits(self) -> bool:
        """Whether something was put that has not been delivered, by what is on disk."""
        return self._offset < self._size

    def start(self) -> None:
        """Start delivering what earlier processes left, if nothing is put."""
        if self._thread is None and not self._closed.is_set():
            # A daemon: a receiver that hangs must not keep the search from ending.
            self._thread = threading.Thread(target=self._deliver_all, name="outbox", daemon=True)
            self._thread.start()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is delivered; False if it is not by then, in which case it stays on disk."""
        self.start()
        with self._changed:
            return self._changed.wait_for(lambda: self._connected and self._offset >= self._size, timeout_s)

    def close(self) -> None:
        """Deliver nothing more than what is under way; the rest stays on disk, and so does what is put from now on."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _read_offset(self) -> int:
        try:
            return max(0, min(int(self._sent.read_text(encoding="utf-8")), self._size))
        except (OSError, ValueError):  # not there, or damaged: all is sent again, which changes nothing
            return 0

    def _deliver_all(self) -> None:
        pause = self._retry_s
        while not self._closed.is_set():
            try:
                self._deliver_until_an_error()
            except Exception as error:
                if pause == self._retry_s:
                    log.warning("results wait in %s, because they cannot be sent: %s", self._queue, brief(error))
            progressed, self._progressed = self._progressed, False
            pause = self._retry_s if progressed else min(2 * pause, LONGEST_RETRY_S)
            self._closed.wait(pause)

    def _deliver_until_an_error(self) -> None:
        # Connected at once even if all is sent: only the receiver can say that it lost it.
        deliver, remembers = self._connect()
        self._advance(self._offset if remembers else 0)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._offset < self._size or self._closed.is_set())
            if self._closed.is_set():
                return
            self._deliver_next(deliver)
            self._progressed = True

    def _deliver_next(self, deliver: Callable[[Entry], None]) -> None:
        with self._queue.open("rb") as stream:
            stream.seek(self._offset)
            line = stream.readline()
        try:
            deliver(json.loads(line))
        except Refused as refusal:
            log.warning("an entry was refused and set aside in %s: %s", self._refused, brief(refusal))
            with self._refused.open("ab") as aside:
                aside.write(line)
        self._advance(self._offset + len(line))

    def _advance(self, offset: int) -> None:
        # Without fsync: after a power cut, an old offset only means that entries are sent twice.
        temporary = self._sent.with_suffix(".tmp")
        temporary.write_text(str(offset), encoding="utf-8")
        temporary.replace(self._sent)
        with self._changed:
            self._connected, self._offset = True, offset
            self._changed.notify_all()
