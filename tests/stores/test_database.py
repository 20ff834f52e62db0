"""Transactions: whole units, repeated where that can help, and the errors for which it can."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from closingbell.errors import SettingsError
from closingbell.models import DatabaseMark
from closingbell.stores import database as database_module
from closingbell.stores.database import Database, is_worth_repeating, open_database
from closingbell.stores.upsert import table_of
from tests.app_fixtures import rows_of
from tests.connections import cut_connections

MARK = table_of(DatabaseMark)
AT = "2012-11-30 21:31:00"


def add(connection: Connection, name: str, value: str = "0") -> None:
    connection.execute(
        text("INSERT INTO database_mark VALUES (:name, :value, :at)"), {"name": name, "value": value, "at": AT}
    )


def postgresql(state: str) -> Exception:
    """The driver's error of an SQLSTATE."""
    return psycopg.errors.lookup(state)("from the server")


def sqlite(name: str) -> Exception:
    """The driver's error of SQLite's own name for it."""
    error = sqlite3.OperationalError("from the file")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("original", "is_worth_it"),
    [
        (postgresql("40001"), True),
        (postgresql("40P01"), True),
        (postgresql("55P03"), True),
        (postgresql("23505"), False),
        (postgresql("42P01"), False),
        (postgresql("53100"), False),
        (pymysql.err.OperationalError(1020, "Record has changed since last read"), True),
        (pymysql.err.OperationalError(1205, "Lock wait timeout exceeded"), True),
        (pymysql.err.OperationalError(1213, "Deadlock found"), True),
        (pymysql.err.IntegrityError(1062, "Duplicate entry"), False),
        (pymysql.err.OperationalError(1114, "The table is full"), False),
        (pymysql.err.ProgrammingError(1146, "No such table"), False),
        (sqlite("SQLITE_BUSY"), True),
        (sqlite("SQLITE_BUSY_SNAPSHOT"), True),
        (sqlite("SQLITE_FULL"), False),
        (sqlite("SQLITE_CONSTRAINT_UNIQUE"), False),
        (ValueError(), False),
    ],
)
def test_which_errors_are_worth_repeating_a_unit_for(original: Exception, is_worth_it: bool) -> None:
    assert is_worth_repeating(DBAPIError("SELECT 1", None, original)) is is_worth_it


def test_lost_connection_is_worth_repeating_a_unit_for() -> None:
    assert is_worth_repeating(DBAPIError("SELECT 1", None, ValueError("gone"), connection_invalidated=True))


class _Time:
    """A time that passes only by sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def monotonic(self) -> float:
        return sum(self.slept)


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time = _Time()
    monkeypatch.setattr(database_module, "time", time)
    return time.slept


def test_unit_is_repeated_whole_on_a_new_transaction(database: Database, no_sleep: list[float]) -> None:
    tries: list[int] = []

    def unit(connection: Connection) -> str:
        tries.append(1)
        add(connection, f"try {len(tries)}")
        if len(tries) < 3:
            raise DBAPIError("x", None, postgresql("40P01"))
        return "done"

    assert database.write_unit(unit) == "done"

    assert [row.name for row in rows_of(database.engine, DatabaseMark, order="name")] == ["try 3"]
    assert len(no_sleep) == 2


def test_unit_that_never_succeeds_raises_the_last_error(database: Database, no_sleep: list[float]) -> None:
    tries: list[int] = []

    def unit(connection: Connection) -> None:
        tries.append(1)
        raise DBAPIError("x", None, postgresql("40P01"))

    with pytest.raises(DBAPIError, match="from the server"):
        database.write_unit(unit)

    assert len(tries) == len(no_sleep) + 1 >= 5
    assert sum(no_sleep) < 40


def test_other_error_is_raised_at_once_and_undoes_the_unit(database: Database, no_sleep: list[float]) -> None:
    def unit(connection: Connection) -> None:
        add(connection, "first")
        add(connection, "first")

    with pytest.raises(IntegrityError):
        database.write_unit(unit)

    assert rows_of(database.engine, DatabaseMark, order="name") == []
    assert no_sleep == []


def test_error_of_the_caller_undoes_the_unit(database: Database) -> None:
    def unit(connection: Connection) -> None:
        add(connection, "first")
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        database.write_unit(unit)

    assert rows_of(database.engine, DatabaseMark, order="name") == []


def test_deadlocked_units_both_end_well(database: Database) -> None:
    with database.write() as connection:
        add(connection, "a")
        add(connection, "b")
    meeting = threading.Barrier(2, timeout=0.7)

    def raise_by_one(connection: Connection, name: str) -> None:
        value = connection.scalar(select(MARK.c.value).where(MARK.c.name == name).with_for_update())
        connection.execute(update(MARK).where(MARK.c.name == name).values(value=str(int(value or 0) + 1)))

    def cross(first: str, second: str) -> None:
        def unit(connection: Connection) -> None:
            raise_by_one(connection, first)
            # Broken where the other one waits for our lock already, or has ended.
            with suppress(threading.BrokenBarrierError):
                meeting.wait()
            raise_by_one(connection, second)

        database.write_unit(unit)

    threads = [threading.Thread(target=cross, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [(row.name, row.value) for row in rows_of(database.engine, DatabaseMark, order="name")] == [
        ("a", "2"),
        ("b", "2"),
    ]


def test_reader_never_waits_for_a_writer(database: Database) -> None:
    with database.write() as writing:
        add(writing, "unseen")
        with database.read() as reading:
            assert reading.execute(select(MARK.c.name)).all() == []


def test_connection_that_was_cut_while_idle_is_replaced(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has no connection to cut")
    with database.read() as connection:
        connection.execute(text("SELECT 1"))
    cut_connections(database.engine.url)

    database.write_unit(lambda connection: add(connection, "after"))

    assert [row.name for row in rows_of(database.engine, DatabaseMark, order="name")] == ["after"]


def test_connection_that_is_cut_within_a_unit_is_replaced_and_the_unit_repeated(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has no connection to cut")
    tries: list[int] = []

    def unit(connection: Connection) -> None:
        tries.append(1)
        add(connection, f"try {len(tries)}")
        if len(tries) == 1:
            cut_connections(database.engine.url)
        add(connection, "second row")

    database.write_unit(unit)

    assert [row.name for row in rows_of(database.engine, DatabaseMark, order="name")] == ["second row", "try 2"]


# --- SQLite as it is opened.


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
def test_sqlite_is_durable_and_strict(sqlite_url: str, pragma: str, value: object) -> None:
    database = open_database(sqlite_url)
    with database.read() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    database.dispose()


def test_sqlite_writers_queue_instead_of_failing(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")

    def count_up(connection: Connection) -> None:
        value = connection.exec_driver_sql("SELECT n FROM counter").scalar()
        connection.exec_driver_sql(f"UPDATE counter SET n = {value + 1}")

    threads = [threading.Thread(target=lambda: [database.write_unit(count_up) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT n FROM counter").scalar() == 40
    database.dispose()


def test_sqlite_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database at all, but long enough to look at" * 50)
    database = open_database(f"sqlite:///{tmp_path / 'x.sqlite'}")

    with pytest.raises((OperationalError, DBAPIError), match="not a database"), database.read():
        pass


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not a database address"),
        ("nonsense", "not a database address"),
        ("oracle://a/b", "oracle is not one of sqlite, mysql, mariadb, postgresql"),
        ("mysql+mysqldb://a/b", r"mysql\+mysqldb is not one of"),
    ],
)
def test_address_that_cannot_be_names_the_setting(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"^DATABASE_URL: .*{words}"):
        open_database(url)


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres://h/d", "psycopg"),
        ("postgresql://h/d", "psycopg"),
        ("mysql://h/d", "pymysql"),
        ("mariadb://h/d", "pymysql"),
    ],
)
def test_plain_addresses_get_the_driver_that_is_installed(url: str, driver: str) -> None:
    assert open_database(url).engine.driver == driver


def test_error_of_a_statement_shows_no_values(database: Database) -> None:
    with database.write() as connection:
        add(connection, "secret-name")

    with pytest.raises(IntegrityError) as caught:
        database.write_unit(lambda connection: add(connection, "secret-name", "secret-value"))

    assert "secret-value" not in str(caught.value)
