"""The study in databases: SQLite always, PostgreSQL where Debian's package and psycopg are installed."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage
from optuna.storages.journal import _storage as reading
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError

from search.record import patience
from search.record.patience import StorageError, patiently
from search.record.storage import check_storage, open_storage
from search.record.study import Study
from search.record.trial import Trial
from spaces import tiny
from tests.search.postgres import Postgres, postgres_server
from tests.search.record.waiting import waiting
from trainables.job import Report

SPACE = tiny.space()
CURVE = tuple(Report(epoch=epoch, accuracy=epoch / 10, loss=1.0, seconds=1.0) for epoch in (1, 2))


def new(number: int) -> Trial:
    return waiting(SPACE, number)


def opened(url: str) -> Study:
    return Study(name="s", storage=open_storage(Path(), url), space=SPACE, create=True)


def gone(times: int) -> Any:
    """A function that fails as a database that restarts does, then returns how often it was called."""
    calls = 0

    def act() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise OperationalError("SELECT 1", {}, Exception("server closed the connection unexpectedly"))
        return calls

    return act


def test_what_is_written_is_read_in_few_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = opened(url)
    storage = open_storage(tmp_path, url)
    assert isinstance(storage, RDBStorage)
    counted = Study(name="s", storage=storage, space=SPACE, create=True)
    writes: list[str] = []

    @event.listens_for(storage.engine, "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith(("UPDATE", "INSERT")):
            tables.add(statement.split()[1 if statement.startswith("UPDATE") else 2])

    tables: set[str] = set()
    event.listen(storage.engine, "commit", lambda connection: writes.append("commit") if tables else None)
    counted.add(new(0))
    counted.start(0)
    counted.finish(0, CURVE)
    # Commits of reading transactions count, too: what matters is that they do not grow with the parameters (21).
    assert len(writes) <= 20, len(writes)
    (read,) = study.trials()
    assert (read.state, read.reports, read.candidate) == ("complete", CURVE, new(0).candidate)


def test_a_storage_that_is_away_for_a_while_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waited.append)
    assert patiently(gone(4)) == 5
    assert waited == [0.2, 0.4, 0.8, 1.6]
    with pytest.raises(StorageError, match=r"did not answer for 60 seconds \(.*server closed .* search resume"):
        patiently(gone(1000), longest=60)


def test_a_trial_whose_write_was_not_confirmed_is_not_added_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(f"sqlite:///{tmp_path / 'study.db'}")
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)
    create, fail = study._storage.create_new_trial, gone(1)

    def unconfirmed(*arguments: Any, **keywords: Any) -> int:
        number = create(*arguments, **keywords)
        fail()
        return number

    monkeypatch.setattr(study._storage, "create_new_trial", unconfirmed)
    assert [study.add(new(number)).number for number in (0, 1)] == [0, 1]
    assert len(study.trials()) == 2


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://user:secret@host/x"])
def test_a_url_that_cannot_be_opened_is_one_sentence_without_its_password(url: str) -> None:
    with pytest.raises(StorageError, match=r"run\.storage is .* it can be sqlite") as caught:
        open_storage(Path(), url)
    assert "secret" not in str(caught.value)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


def test_postgresql_that_restarts_in_the_middle_loses_nothing(postgres: Postgres) -> None:
    check_storage(postgres.url)
    study = opened(postgres.url)
    for number in range(3):
        study.start(study.add(new(number)).number)
    study.finish(0, CURVE)
    postgres.control("restart", "-m", "immediate")
    study.finish(1, CURVE)
    postgres.control("restart", "-m", "fast")
    study.finish(2, (), "training failed")
    study.add(new(3))
    states = [trial.state for trial in opened(postgres.url).trials()]
    assert states == ["complete", "complete", "fail", "waiting"]


def test_a_storage_that_nobody_holds_leaves_no_connection(postgres: Postgres) -> None:
    """Of a connection that is collected while open psycopg warns, which ends a session of tests; servers keep it."""
    study = opened(postgres.url)
    study.add(new(0))
    assert connections(postgres) > 0
    del study
    gc.collect()
    assert connections(postgres) == 0


def connections(postgres: Postgres) -> int:
    """Those of others to the server."""
    engine = create_engine(postgres.url)
    count = text("SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = :kind")
    try:
        with engine.connect() as connection:
            return int(connection.execute(count, {"kind": "client backend"}).scalar_one())
    finally:
        engine.dispose()


def test_ranges_that_every_trial_repeats_are_read_once(tmp_path: Path) -> None:
    read = reading.json_to_distribution  # type: ignore[attr-defined]
    study = optuna.create_study(study_name="one", storage=open_storage(tmp_path, None))
    for value in (0.1, 0.2):
        study.add_trial(
            optuna.create_trial(params={"x": value}, distributions={"x": FloatDistribution(0, 1)}, value=value)
        )
    first, second = open_storage(tmp_path, None).get_all_trials(study._study_id, deepcopy=False)
    assert first.distributions["x"] == FloatDistribution(0, 1)
    assert first.distributions["x"] is second.distributions["x"]
    assert reading.json_to_distribution is read  # type: ignore[attr-defined]
