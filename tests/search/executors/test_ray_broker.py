"""The broker without Ray: it is a plain asyncio object."""

import asyncio

import pytest

from search.executors import ray_agreement
from search.executors.ray_broker import Broker
from search.executors.work import Failure
from tests.search.executors.jobs import jobs
from trainables.job import Report

JOBS = jobs(2)
REPORT = Report(epoch=1, accuracy=0.5, loss=1.0, seconds=1.0)


async def started(broker: Broker, slot: int = 0) -> int:
    await broker.hello(slot)
    return await broker.start_of(slot)


def test_all_workers_of_a_group_get_the_same_job_and_the_same_answer() -> None:
    async def play() -> None:
        broker = Broker(workers=2)
        start = await started(broker)
        waiting = [asyncio.create_task(broker.next(0, start, 0)) for _ in range(2)]
        await broker.put(JOBS[0])
        first, second = await asyncio.gather(*waiting)
        assert first is not None
        assert first == second
        answers = [asyncio.create_task(broker.report(first, REPORT)), asyncio.create_task(broker.verdict(first, 1))]
        (event,) = await broker.events(5)
        assert (event.kind, event.report) == ("report", REPORT)
        await broker.answer(first, 1, False)
        assert await asyncio.gather(*answers) == [False, False]
        assert await broker.next(0, start, 0) == first, "a worker that asks late gets the turn's job, although ended"

    asyncio.run(play())


def test_what_a_lost_group_held_is_told_and_its_orphan_is_refused() -> None:
    async def play() -> None:
        broker = Broker(workers=1)
        old = await started(broker)
        await broker.put(JOBS[0])
        lease = await broker.next(0, old, 0)
        assert lease is not None
        new = await started(broker)
        (event,) = await broker.events(5)
        assert (event.kind, event.lease) == ("lost", lease)
        assert await broker.report(lease, REPORT) is False
        assert await broker.events(0) == [], "the report of an orphan was passed on"
        await broker.put(JOBS[0], first=True)
        assert await broker.next(0, old, 1) is None
        again = await broker.next(0, new, 0)
        assert again is not None
        assert again != lease

    asyncio.run(play())


def test_a_failure_of_some_workers_only_starts_the_group_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_agreement, "PATIENCE", 0.05)

    async def play() -> None:
        broker = Broker(workers=2)
        start = await started(broker)
        for job in JOBS:
            await broker.put(job)
        both = await broker.next(0, start, 0)
        assert both is not None
        bad, memory = Failure(message="bad"), Failure(message="out of memory")
        assert await asyncio.gather(broker.failed(both, 0, bad), broker.failed(both, 1, bad)) == [True, True]
        one = await broker.next(0, start, 1)
        assert one is not None
        assert not await broker.failed(one, 1, memory)
        assert [event.failure for event in await broker.events(0)] == [bad, memory]

    asyncio.run(play())


def test_what_may_be_the_loss_of_another_worker_fails_a_trial_if_all_meet_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_agreement, "PATIENCE", 0.05)
    closed = Failure(message="RuntimeError: Connection closed by peer", certain=False)

    async def play() -> None:
        broker = Broker(workers=2)
        old = await started(broker)
        for job in JOBS:
            await broker.put(job)
        one = await broker.next(0, old, 0)
        assert one is not None
        assert not await broker.failed(one, 1, closed), "the other worker does not say so"
        assert await broker.events(0) == []
        again = await broker.next(0, await started(broker), 0)
        assert again is not None
        assert await asyncio.gather(broker.failed(again, 1, closed), broker.failed(again, 0, closed)) == [True, True]
        assert [(event.kind, event.failure) for event in await broker.events(0)] == [("lost", None), ("failed", closed)]

    asyncio.run(play())


def test_who_waits_for_an_answer_stops_when_the_broker_closes() -> None:
    async def play() -> None:
        broker = Broker(workers=1)
        await broker.put(JOBS[0])
        lease = await broker.next(0, await started(broker), 0)
        assert lease is not None
        waiting = asyncio.create_task(broker.report(lease, REPORT))
        await broker.events(5)
        await broker.close()
        assert await waiting is False

    asyncio.run(play())


def test_closing_ends_every_group() -> None:
    async def play() -> None:
        broker = Broker(workers=1)
        waiting = asyncio.create_task(broker.next(0, await started(broker), 0))
        await asyncio.sleep(0)
        await broker.close()
        assert await waiting is None

    asyncio.run(play())
