"""The queue on disk between the search and a slow or absent receiver."""

import contextlib
import json
import threading

import pytest

from search.tracking.outbox import Outbox, Refused

DATABASE = "(sqlite3.OperationalError) database or disk is full\n[SQL: \nCREATE TABLE experiments (\n"
"""The beginning of what SQLAlchemy says, a statement of 30 lines."""


@pytest.fixture
def outbox():
    """Opens outboxes, and closes them after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(contextlib.closing(Outbox(*arguments, **options)))


def collector(remembers: bool = True):
    got: list[int] = []
    return got, lambda: (lambda entry: got.append(entry["n"]), remembers)


def test_entries_arrive_once_and_in_order_across_processes(tmp_path, outbox):
    got, connect = collector()
    for start in (0, 3):
        box = outbox(tmp_path, connect)
        for n in range(start, start + 3):
            box.put({"n": n})
        assert box.flush(10)
    assert got == [0, 1, 2, 3, 4, 5]


def test_a_receiver_that_forgot_gets_everything_again(tmp_path, outbox):
    first = outbox(tmp_path, collector()[1])
    first.put({"n": 1})
    assert first.flush(10)
    got, connect = collector(remembers=False)
    assert outbox(tmp_path, connect).flush(10)
    assert got == [1]


def test_a_failed_delivery_is_repeated_and_a_refused_one_set_aside(tmp_path, caplog, outbox):
    got, troubles = [], {1: [OSError("down"), OSError(DATABASE)], 2: [Refused("too long")]}

    def deliver(entry):
        if troubles.get(entry["n"]):
            raise troubles[entry["n"]].pop()
        got.append(entry["n"])

    box = outbox(tmp_path, lambda: (deliver, True), retry_s=0.01)
    for n in range(4):
        box.put({"n": n})
    assert box.flush(10)
    assert got == [0, 1, 3]
    assert json.loads((tmp_path / "refused.jsonl").read_text()) == {"n": 2}
    reasons = [record.getMessage().partition("cannot be sent: ")[2] for record in caplog.records]
    assert {"(sqlite3.OperationalError) database or disk is full", "down"} <= set(reasons)


def test_putting_does_not_wait_for_a_receiver_that_hangs(tmp_path, outbox):
    release = threading.Event()
    box = outbox(tmp_path, lambda: (lambda entry: release.wait(30), True))
    for n in range(100):
        box.put({"n": n})
    assert len(list(box.entries())) == 100
    assert not box.flush(0.05)
    release.set()
    assert box.flush(10)


def test_a_torn_line_is_dropped(tmp_path, outbox):
    (tmp_path / "queue.jsonl").write_text('{"n": 1}\n{"n": 2')
    got, connect = collector()
    box = outbox(tmp_path, connect)
    box.put({"n": 3})
    assert box.flush(10)
    assert got == [1, 3]
