"""The actor between the driver and the worker groups: holds jobs, leases, and reports that wait for an answer.

It decides nothing and knows nothing of Ray: the driver decides, and wraps the class as an actor.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from search.executors.ray_agreement import Agreement
from search.executors.work import Failure
from trainables.job import Job, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A job, given to the ``start``-th start of the worker group of a slot as its ``turn``-th."""

    slot: int
    start: int
    turn: int
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the driver is told.

    Attributes:
        kind: ``report`` waits for ``answer``; ``failed``; ``lost`` when the group was started again; ``broken`` if
            storage or data cannot be used, for which the trial is not to blame.
        lease: which is meant.
        report: of the epoch.
        failure: why the trial failed.
        last_words: what was last heard of a lost one.
        error: what is broken.
    """

    kind: Literal["report", "failed", "lost", "broken"]
    lease: Lease
    report: Report | None = None
    failure: Failure | None = None
    last_words: str | None = None
    error: Exception | None = None


class Broker:
    """Single-threaded (asyncio); every method is called remotely."""

    def __init__(self, workers: int) -> None:
        self._agreement = Agreement(workers)
        self._jobs: deque[Job] = deque()
        self._events: deque[Event] = deque()
        self._starts: dict[int, int] = {}
        self._leases: dict[int, Lease] = {}
        self._newest: dict[int, Lease] = {}
        self._answers: dict[tuple[Lease, int], bool] = {}
        self._words: dict[int, str] = {}
        self._closed = False
        self._changed = asyncio.Condition()

    # for the driver --------------------------------------------------------------------------------------------------

    async def put(self, job: Job, *, first: bool = False) -> None:
        """A job for whichever group is free next."""
        if first:
            self._jobs.appendleft(job)
        else:
            self._jobs.append(job)
        await self._notify()

    async def events(self, patience: float) -> list[Event]:
        """What happened; waits up to ``patience`` seconds for something to happen."""
        await self._until(lambda: bool(self._events), patience)
        events = list(self._events)
        self._events.clear()
        return events

    async def answer(self, lease: Lease, epoch: int, go_on: bool) -> None:
        """Let the workers go on after a report, or end the trial."""
        self._answers[lease, epoch] = go_on
        if not go_on:
            self._end(lease)
        await self._notify()

    async def lost(self, slot: int) -> None:
        """The group of a slot is gone: what it held is lost, and what is left of it is refused."""
        self._starts[slot] = self._starts.get(slot, 0) + 1
        lease = self._leases.get(slot)
        if lease is not None:
            self._end(lease)
            self._events.append(Event(kind="lost", lease=lease, last_words=self._words.pop(slot, None)))
        await self._notify()

    async def close(self) -> None:
        """No more jobs: every group ends, with its next report at the latest."""
        self._closed = True
        await self._notify()

    # for the workers -------------------------------------------------------------------------------------------------

    async def hello(self, slot: int) -> None:
        """The first worker of a group says that the group was started, perhaps again."""
        await self.lost(slot)

    async def start_of(self, slot: int) -> int:
        """Which start of its group the workers of a slot belong to."""
        return self._starts[slot]

    async def next(self, slot: int, start: int, turn: int) -> Lease | None:
        """The ``turn``-th job of a group, the same for all its workers; None when it is to end."""
        while start == self._starts[slot]:
            newest = self._newest.get(slot)
            if newest is not None and (newest.start, newest.turn) == (start, turn):
                return newest  # also when it has ended: the first worker of a group may be ahead of the others
            if self._closed:
                return None
            if self._jobs:
                lease = Lease(slot=slot, start=start, turn=turn, job=self._jobs.popleft())
                self._leases[slot] = self._newest[slot] = lease
            else:
                await self._change()
        return None

    async def report(self, lease: Lease, report: Report) -> bool:
        """From the first worker, after an epoch: whether to go on, as the driver says."""
        if self._leases.get(lease.slot) == lease:
            self._events.append(Event(kind="report", lease=lease, report=report))
            await self._notify()
        return await self.verdict(lease, report.epoch)

    async def verdict(self, lease: Lease, epoch: int) -> bool:
        """For the other workers: the driver's answer to the first one's report."""
        await self._until(lambda: (lease, epoch) in self._answers or self._closed or self._is_stale(lease), None)
        return self._answers.get((lease, epoch), False)

    async def failed(self, lease: Lease, rank: int, failure: Failure) -> bool:
        """A trial cannot be trained. Whether all workers say so: if not, the group must be started again.

        The trial has failed if all say so, or one whose failure is certain: another may have lost a worker beside it.
        """
        if failure.certain:
            await self._fail(lease, failure)
        alike = await self._agreement.reached(lease, rank)
        if alike:
            await self._fail(lease, failure)
        return alike

    async def _fail(self, lease: Lease, failure: Failure) -> None:
        if self._leases.get(lease.slot) == lease:
            self._end(lease)
            self._events.append(Event(kind="failed", lease=lease, failure=failure))
            await self._notify()

    async def broken(self, lease: Lease, error: Exception) -> None:
        """Storage or data cannot be used."""
        self._events.append(Event(kind="broken", lease=lease, error=error))
        await self._notify()

    async def last_words(self, slot: int, words: str) -> None:
        """Of a worker that dies of an error of ours."""
        self._words[slot] = words

    # ------------------------------------------------------------------------------------------------------------------

    def _is_stale(self, lease: Lease) -> bool:
        return lease.start != self._starts[lease.slot]

    def _end(self, lease: Lease) -> None:
        """Forget a lease, and what was kept for the slot's leases before it."""
        self._leases.pop(lease.slot, None)
        self._answers = {k: v for k, v in self._answers.items() if k[0].slot != lease.slot or k[0] == lease}

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _change(self) -> None:
        async with self._changed:
            await self._changed.wait()

    async def _until(self, holds: Callable[[], bool], patience: float | None) -> bool:
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(holds), patience)
            except TimeoutError:
                return False
        return True
