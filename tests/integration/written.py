"""What attempts write into a folder of checkpoints, as the kernel tells it: nothing is missed between two looks."""

import ctypes
import os
import re
import struct
from collections import Counter
from pathlib import Path
from typing import Self

IN_MOVED_TO, IN_CREATE, IN_Q_OVERFLOW = 0x80, 0x100, 0x4000  # linux/inotify.h
EVENT = struct.Struct("iIII")


class Written:
    """Checkpoints put in place, and attempts begun, by trial. To be read often: the kernel keeps 16,384 events."""

    def __init__(self, folder: Path) -> None:
        self.saved: Counter[int] = Counter()
        """Epochs whose state was put in place, by trial; one that is trained again counts again."""
        self.attempts: Counter[int] = Counter()
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._events < 0 or libc.inotify_add_watch(self._events, bytes(folder), IN_MOVED_TO | IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), "inotify", str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._events)

    def read(self) -> int:
        """Take in what has happened; the number of epochs saved so far."""
        while True:
            try:
                content = os.read(self._events, 1 << 16)
            except BlockingIOError:
                return self.saved.total()
            while content:
                _, kind, _, length = EVENT.unpack_from(content)
                assert not kind & IN_Q_OVERFLOW, "the kernel dropped events"
                name = content[EVENT.size : EVENT.size + length].rstrip(b"\0").decode()
                content = content[EVENT.size + length :]
                if match := re.fullmatch(r"trial-(\d+)\.\d+\.pt", name):
                    counted = self.saved if kind & IN_MOVED_TO else self.attempts
                    counted[int(match[1])] += 1
