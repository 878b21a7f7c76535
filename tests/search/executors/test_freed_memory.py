"""What earlier trainings of a process have freed is the system's again."""

import sys
import threading
from pathlib import Path

import pytest

from search.executors.work import give_freed_memory_back

BLOCK, BLOCKS = 60_000, 1_500
"""Bytes that the C library keeps once they are freed, since they are few, and how many a thread allocates."""


def resident() -> int:
    """Anonymous memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_threads_have_freed_is_given_back() -> None:
    last: list[bytearray] = []  # lies behind what is freed, which the C library would give back by itself otherwise

    def work() -> None:
        blocks = [bytearray(BLOCK) for _ in range(BLOCKS)]
        last.append(bytearray(BLOCK))
        del blocks

    for _ in range(2):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    kept = resident()
    give_freed_memory_back()
    assert kept - resident() > 0.8 * BLOCK * BLOCKS
