"""Raw rows in bulk: few or many, the same rows end up stored on every database, and nothing bad slips in."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DBAPIError

from closingbell.models import PriceHistory
from closingbell.stores import bulk
from closingbell.stores.bulk import insert_raw, raw_instant
from closingbell.stores.database import Database
from closingbell.stores.upsert import table_of

AT = datetime(2012, 11, 30, 21, 31, 0, 123456, tzinfo=UTC)
COLUMNS = (
    "company_id", "date", "open", "high", "low", "close", "volume", "is_settled", "provider", "fetched_at", "flag",
)  # fmt: skip
FEW, MANY = 3, bulk.BULK_FROM + 7
TABLE = table_of(PriceHistory)


def rows(company_id: int, count: int, at: Any, *, close: int = 4_123_456) -> list[tuple[Any, ...]]:
    first = date(2001, 1, 1)
    prices = (4_000_000, 5_000_000, 3_000_000, close)
    return [
        (company_id, first + timedelta(days=n), *prices, 10 + n, n % 2 == 0, "yahoo", at, None) for n in range(count)
    ]


def store(database: Database, made: Any) -> None:
    """Insert what ``made(fetched_at)`` gives."""
    database.write_unit(
        lambda connection: insert_raw(connection, PriceHistory, COLUMNS, made(raw_instant(connection, AT)))
    )


def count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(select(func.count()).select_from(TABLE)) or 0)


@pytest.mark.parametrize("number", [FEW, MANY])
def test_rows_come_back_as_they_went_in(database: Database, company_id: int, number: int) -> None:
    store(database, lambda at: rows(company_id, number, at))

    with database.read() as connection:
        stored = connection.execute(select(TABLE).order_by(TABLE.c.date)).all()
    assert len(stored) == number
    assert tuple(stored[1]) == (
        company_id,
        date(2001, 1, 2),
        Decimal("4.000000"),
        Decimal("5.000000"),
        Decimal("3.000000"),
        Decimal("4.123456"),
        11,
        False,
        "yahoo",
        AT,
        None,
    )


@pytest.mark.parametrize("number", [FEW, MANY])
def test_row_whose_key_is_taken_is_left_alone(database: Database, company_id: int, number: int) -> None:
    store(database, lambda at: rows(company_id, 2, at, close=3_500_000))

    store(database, lambda at: rows(company_id, number, at))

    with database.read() as connection:
        closes = connection.scalars(select(TABLE.c.close).order_by(TABLE.c.date)).all()
    assert closes[:3] == [Decimal("3.5"), Decimal("3.5"), Decimal("4.123456")]
    assert len(closes) == number


@pytest.mark.parametrize("number", [FEW, MANY])
def test_same_rows_twice_are_the_same_rows(database: Database, company_id: int, number: int) -> None:
    store(database, lambda at: rows(company_id, number, at))
    store(database, lambda at: rows(company_id, number, at))

    assert count(database) == number


def test_two_bulks_in_one_transaction(database: Database, company_id: int) -> None:
    def unit(connection: Any) -> None:
        at = raw_instant(connection, AT)
        made = rows(company_id, 2 * MANY, at)
        insert_raw(connection, PriceHistory, COLUMNS, made[:MANY])
        insert_raw(connection, PriceHistory, COLUMNS, made[MANY:])

    database.write_unit(unit)

    assert count(database) == 2 * MANY


def test_no_rows_are_no_statement(database: Database) -> None:
    store(database, lambda at: [])

    assert count(database) == 0


def _bad(kind: str, company_id: int, number: int, at: Any) -> list[tuple[Any, ...]]:
    made = rows(company_id, number, at)
    bad = list(made[-1])
    if kind == "foreign key":
        bad[0] = 987_654
    elif kind == "null":
        bad[5] = None
    elif kind == "too large":
        bad[5] = 2**63
    return [*made[:-1], tuple(bad)]


@pytest.mark.parametrize("number", [FEW, MANY])
@pytest.mark.parametrize("kind", ["foreign key", "null", "too large"])
def test_bad_value_raises_and_nothing_is_stored(database: Database, company_id: int, number: int, kind: str) -> None:
    with pytest.raises((DBAPIError, OverflowError)):
        store(database, lambda at: _bad(kind, company_id, number, at))

    assert count(database) == 0


def test_text_that_is_too_long_raises(database: Database, company_id: int) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite bounds no text")

    for number in (FEW, MANY):
        with pytest.raises(DBAPIError):
            store(database, lambda at, n=number: [(*row[:8], "y" * 17, *row[9:]) for row in rows(company_id, n, at)])

    assert count(database) == 0


@pytest.mark.parametrize("flag", ["a\tb", "a\\b", "a\nb", "\\N", "'", '"', "é", "%s", "?", ""])
def test_text_with_signs_of_the_file_format_comes_back(database: Database, company_id: int, flag: str) -> None:
    store(database, lambda at: [(*row[:10], flag) for row in rows(company_id, MANY, at)])

    with database.read() as connection:
        assert set(connection.scalars(select(TABLE.c.flag))) == {flag}


def test_many_rows_take_the_databases_own_path(database: Database, company_id: int) -> None:
    said: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(re.sub(r"\s+", " ", statement))

    store(database, lambda at: rows(company_id, MANY, at))

    one_by_one = [
        statement for statement in said if statement.startswith("INSERT INTO price_history") and "VALUES" in statement
    ]
    with database.read() as connection:
        has_no_way = database.dialect == "sqlite" or (
            database.dialect == "mysql" and not connection.scalar(text("SELECT @@local_infile"))
        )
    assert bool(one_by_one) is has_no_way


def test_server_that_takes_no_files_gets_the_rows_all_the_same(
    database: Database, company_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_server_takes_files", lambda _connection: False)

    store(database, lambda at: rows(company_id, MANY, at))

    assert count(database) == MANY


def test_naive_instant_is_refused(database: Database) -> None:
    with database.read() as connection, pytest.raises(ValueError, match="has no time zone"):
        raw_instant(connection, datetime(2012, 11, 30))  # noqa: DTZ001


def test_connection_that_is_cut_before_many_rows_is_replaced_and_the_unit_repeated(
    database: Database, company_id: int
) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has no connection to cut")
    tries: list[int] = []

    def unit(connection: Any) -> None:
        tries.append(1)
        at = raw_instant(connection, AT)
        insert_raw(connection, PriceHistory, COLUMNS, rows(company_id, MANY, at))
        if len(tries) == 1:
            connection.connection.driver_connection.close()
        insert_raw(connection, PriceHistory, COLUMNS, rows(company_id, 2 * MANY, at)[MANY:])

    database.write_unit(unit)

    assert len(tries) == 2
    assert count(database) == 2 * MANY
