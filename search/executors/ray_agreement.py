"""Whether the workers of a group fail alike. Imports nothing of ours, so that an actor of it is there at once."""

import asyncio
from collections.abc import Hashable

PATIENCE = 10.0
"""Seconds in which all workers of a group must fail alike; else some of them hang in an exchange with the others."""


class Agreement:
    """Whether all workers of a group come to the same end within ``PATIENCE`` seconds; asyncio, as the broker."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._ranks: dict[Hashable, set[int]] = {}
        self._changed = asyncio.Condition()

    async def reached(self, end: Hashable, rank: int) -> bool:
        """A worker says that it came to an end, such as the failure of a training; whether all others do."""
        ranks = self._ranks.setdefault(end, set())
        ranks.add(rank)
        async with self._changed:
            self._changed.notify_all()
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: len(ranks) >= self._workers), PATIENCE)
            except TimeoutError:
                return False
            finally:
                self._ranks.pop(end, None)  # a group that is started again begins anew
        return True
