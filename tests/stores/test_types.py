"""Exact decimals and aware instants come back from every database exactly as they went in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, Table, select, text
from sqlalchemy.exc import StatementError

from closingbell.domain.money import BIGINT_MAX
from closingbell.errors import NaiveDatetimeError, ValueOutOfRangeError
from closingbell.models.types import Money, Price, Quantity, UtcDateTime
from closingbell.stores.database import open_database

PROBE = Table(
    "probe",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("price", Price),
    Column("money", Money),
    Column("quantity", Quantity),
    Column("moment", UtcDateTime),
)
LARGEST = {
    "price": Decimal("9223372036854.775807"),
    "money": Decimal("922337203685477.5807"),
    "quantity": Decimal("922337203.6854775807"),
}
SMALLEST = {"price": Decimal("0.000001"), "money": Decimal("0.0001"), "quantity": Decimal("0.0000000001")}

ZONES = st.sampled_from(
    [
        UTC,
        ZoneInfo("America/New_York"),
        ZoneInfo("Asia/Kathmandu"),
        ZoneInfo("Europe/London"),
        timezone(timedelta(hours=-9.5)),
    ]
)
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001  (zones are added)
SCALED = st.integers(-BIGINT_MAX, BIGINT_MAX)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection with the probe table, in a transaction."""
    database = open_database(database_url)
    PROBE.metadata.create_all(database.engine)
    with database.write() as connection:
        yield connection
    database.dispose()


def round_trip(connection: Connection, **values: Any) -> Any:
    """What the database gives back for one row of ``values``."""
    connection.execute(PROBE.delete())
    connection.execute(PROBE.insert(), {"id": 1, **values})
    return connection.execute(select(PROBE)).one()


def cause_of(error: BaseException) -> BaseException:
    """The error that was raised at the door, without SQLAlchemy's wrapping."""
    return (error.orig or error) if isinstance(error, StatementError) else error


def test_any_exact_number_comes_back_as_it_was(connection: Connection) -> None:
    @settings(max_examples=50)
    @given(SCALED, SCALED, SCALED)
    @example(BIGINT_MAX, BIGINT_MAX, BIGINT_MAX)
    @example(-BIGINT_MAX, -BIGINT_MAX, -BIGINT_MAX)
    @example(0, 1, -1)
    def check(price: int, money: int, quantity: int) -> None:
        sent = {
            "price": Decimal(price).scaleb(-6),
            "money": Decimal(money).scaleb(-4),
            "quantity": Decimal(quantity).scaleb(-10),
        }
        row = round_trip(connection, **sent)
        assert (row.price, row.money, row.quantity) == (sent["price"], sent["money"], sent["quantity"])
        assert {type(row.price), type(row.money), type(row.quantity)} == {Decimal}

    check()


def test_any_instant_of_any_zone_comes_back_in_utc(connection: Connection) -> None:
    @settings(max_examples=50)
    @given(MOMENTS)
    @example(datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York")))
    @example(datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo("America/New_York")))
    @example(datetime(2012, 6, 30, 23, 59, 59, 999_999, tzinfo=UTC))
    @example(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    @example(datetime(2100, 2, 28, 12, 0, 0, 1, tzinfo=UTC))
    def check(moment: datetime) -> None:
        kept = round_trip(connection, moment=moment).moment
        assert kept == moment.astimezone(UTC)
        assert kept.tzinfo is UTC or kept.utcoffset() == timedelta(0)

    check()


@pytest.mark.parametrize("values", [LARGEST, {name: -value for name, value in LARGEST.items()}, SMALLEST])
def test_extremes_survive_a_commit_and_a_new_connection(database_url: str, values: dict[str, Decimal]) -> None:
    database = open_database(database_url)
    PROBE.metadata.create_all(database.engine)
    with database.write() as connection:
        connection.execute(PROBE.insert(), {"id": 1, **values})
    database.dispose()
    again = open_database(database_url)
    with again.read() as connection:
        row = connection.execute(select(PROBE)).one()
    again.dispose()
    assert {name: getattr(row, name) for name in values} == values


def test_number_is_kept_as_an_integer(connection: Connection) -> None:
    round_trip(connection, price=Decimal("102.5"), money=Decimal("-0.0001"), quantity=Decimal(3))
    row = connection.execute(text("SELECT price, money, quantity FROM probe")).one()
    assert tuple(row) == (102_500_000, -1, 30_000_000_000)
    assert [type(value) for value in row] == [int, int, int]


def test_nothing_stays_nothing(connection: Connection) -> None:
    row = round_trip(connection)
    assert (row.price, row.money, row.quantity, row.moment) == (None, None, None, None)


def test_numbers_compare_and_sort_as_numbers(connection: Connection) -> None:
    prices = [Decimal("9.99"), Decimal("-1"), Decimal("10.000001"), Decimal("10")]
    connection.execute(PROBE.insert(), [{"id": number, "price": price} for number, price in enumerate(prices, start=1)])
    dearer = select(PROBE.c.price).where(PROBE.c.price > Decimal("9.99")).order_by(PROBE.c.price)
    assert connection.scalars(dearer).all() == [Decimal("10"), Decimal("10.000001")]


def test_instants_compare_across_zones(connection: Connection) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    moments = [noon, noon + timedelta(microseconds=1), noon - timedelta(microseconds=1)]
    connection.execute(
        PROBE.insert(), [{"id": number, "moment": moment} for number, moment in enumerate(moments, start=1)]
    )
    in_new_york = datetime(2026, 7, 1, 8, tzinfo=ZoneInfo("America/New_York"))
    from_then_on = select(PROBE.c.id).where(PROBE.c.moment >= in_new_york).order_by(PROBE.c.moment)
    assert connection.scalars(from_then_on).all() == [1, 2]


def test_zone_of_the_servers_session_changes_nothing(connection: Connection) -> None:
    statements = {"mysql": "SET time_zone = '-05:00'", "postgresql": "SET LOCAL TIME ZONE 'America/New_York'"}
    # SQLite has no zone to set.
    connection.execute(text(statements.get(connection.dialect.name, "SELECT 1")))
    moment = datetime(2026, 3, 8, 7, 30, 0, 250_000, tzinfo=UTC)
    kept = round_trip(connection, moment=moment).moment
    assert kept == moment
    assert kept.utcoffset() == timedelta(0)


def test_naive_datetime_is_refused(connection: Connection) -> None:
    with pytest.raises((NaiveDatetimeError, StatementError)) as caught:
        round_trip(connection, moment=datetime(2026, 11, 23, 16, 30))  # noqa: DTZ001  (naive on purpose)
    assert isinstance(cause_of(caught.value), NaiveDatetimeError)
    assert "2026-11-23T16:30:00 has no time zone" in str(caught.value)


@pytest.mark.parametrize("column", ["price", "money", "quantity"])
@pytest.mark.parametrize("wrong", ["one too large", "one too small", "NaN", "one decimal too many"])
def test_number_that_does_not_fit_is_refused_at_the_door(connection: Connection, column: str, wrong: str) -> None:
    step, largest = SMALLEST[column], LARGEST[column]
    value = {
        "one too large": largest + step,
        "one too small": -largest - step,
        "NaN": Decimal("NaN"),
        "one decimal too many": 1 + step / 10,
    }[wrong]
    with pytest.raises((ValueOutOfRangeError, StatementError)) as caught:
        round_trip(connection, **{column: value})
    assert isinstance(cause_of(caught.value), ValueOutOfRangeError)
    assert connection.execute(select(PROBE)).all() == []


def test_float_with_its_noise_is_refused(connection: Connection) -> None:
    with pytest.raises((ValueOutOfRangeError, StatementError)) as caught:
        round_trip(connection, price=0.1)
    assert isinstance(cause_of(caught.value), ValueOutOfRangeError)
