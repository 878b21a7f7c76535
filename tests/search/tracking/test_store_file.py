"""The SQLite file of MLflow: broken ones are known and set aside, new ones appear whole; and torn queues are mended."""

import contextlib
import logging
import sqlite3
from pathlib import Path

import pytest

from search.tracking.outbox import Outbox
from search.tracking.store_file import TABLES, is_broken, made_whole, set_aside


def make(path: Path, tables: set[str] = TABLES) -> None:
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        for table in tables:
            store.execute(f"CREATE TABLE {table} (x)")


def test_a_whole_store_is_not_broken(tmp_path: Path) -> None:
    make(tmp_path / "mlflow.db")
    assert is_broken(tmp_path / "mlflow.db") == ""


@pytest.mark.parametrize("content", [b"", b"nothing" * 999, b"SQLite format 3\x00" + b"\x00" * 999])
def test_what_is_no_store_is_broken(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    assert is_broken(tmp_path / "mlflow.db")


def test_a_store_whose_creation_was_cut_off_is_broken(tmp_path: Path) -> None:
    make(tmp_path / "mlflow.db", {"experiments"})
    assert is_broken(tmp_path / "mlflow.db") == "its creation was cut off"


def test_a_store_that_another_process_writes_is_not_called_broken(tmp_path: Path) -> None:
    make(tmp_path / "mlflow.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert is_broken(tmp_path / "mlflow.db") == ""


def test_a_new_store_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"

    def die(own: Path) -> None:
        own.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_whole(path, die)
    assert not path.exists()
    made_whole(path, make)
    assert is_broken(path) == ""
    assert [file.name for file in tmp_path.iterdir()] == ["mlflow.db"]


def test_what_is_set_aside_replaces_nothing(tmp_path: Path) -> None:
    for content in (b"1", b"2"):
        (tmp_path / "x").write_bytes(content)
        set_aside(tmp_path / "x")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"x.broken-1": b"1", "x.broken-2": b"2"}


def test_damaged_lines_of_a_queue_are_left_out_and_all_is_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "queue.jsonl").write_bytes(b'{"n":1}\n\xff\n[3]\n{"n":4}\n{"n"')
    (tmp_path / "sent").write_text("15")
    delivered: list[int] = []
    with caplog.at_level(logging.WARNING):
        outbox = Outbox(tmp_path, lambda: (lambda entry: delivered.append(entry["n"]), True))
    assert [entry["n"] for entry in outbox.entries()] == [1, 4]
    assert outbox.flush(10)
    outbox.close()
    assert delivered == [1, 4]
    assert "missing now is put again" in caplog.text


def test_a_damaged_mark_of_what_was_sent_means_all_again(tmp_path: Path) -> None:
    (tmp_path / "queue.jsonl").write_bytes(b'{"n":1}\n')
    (tmp_path / "sent").write_bytes(b"\xffmany")
    assert Outbox(tmp_path, lambda: (lambda entry: None, True)).waits
