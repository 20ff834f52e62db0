"""The newest closes on each database: as many statements for many companies as for one."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, event

from closingbell.domain.bars import Bar
from closingbell.stores import companies, prices
from closingbell.stores.bulk import raw_instant
from closingbell.stores.closes import Close, load_newest_closes
from closingbell.stores.database import Database

AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
# Of each company the days of November 2012 that have a bar; its close is the day in dollars.
DAYS = {"OLD": (5, 6), "LONG": (1, 2, 9, 30), "GAP": (7, 29), "NEW": (29, 30), "NONE": ()}


@pytest.fixture
def ids(database: Database) -> dict[str, int]:
    def unit(connection: Connection) -> dict[str, int]:
        companies.store_new(connection, [(symbol, "XNYS") for symbol in DAYS], now=AT)
        found = {symbol: one.id for symbol, one in companies.load_by_symbol(connection, list(DAYS)).items()}
        at = raw_instant(connection, AT)
        for symbol, days in DAYS.items():
            bars = [Bar(date(2012, 11, day), *([day * 1_000_000] * 4), 100) for day in days]
            made = prices.new_rows(found[symbol], bars, settled_to=None, provider="yahoo", fetched_at=at, flags={})
            prices.store_new(connection, made)
        return found

    return database.write_unit(unit)


def newest(database: Database, ids: dict[str, int], *symbols: str, day: int) -> tuple[dict[str, Close], int]:
    """Each company's newest close by that day of November, and how many statements it took."""
    sent: list[str] = []
    names = {number: symbol for symbol, number in ids.items()}
    with database.read() as connection:
        event.listen(connection, "before_cursor_execute", lambda *told: sent.append(told[2]))
        found = load_newest_closes(connection, [ids[symbol] for symbol in symbols], on=date(2012, 11, day))
    return {names[number]: close for number, close in found.items()}, len(sent)


def close(day: int) -> Close:
    return Close(date(2012, 11, day), day * 1_000_000)


def test_newest_close_by_a_day_in_the_past_is_each_companys_own(database: Database, ids: dict[str, int]) -> None:
    found, _ = newest(database, ids, *DAYS, day=8)

    assert found == {"OLD": close(6), "LONG": close(2), "GAP": close(7)}


def test_newest_close_by_the_newest_day_is_the_summarys(database: Database, ids: dict[str, int]) -> None:
    found, statements = newest(database, ids, *DAYS, day=30)

    assert found == {"OLD": close(6), "LONG": close(30), "GAP": close(29), "NEW": close(30)}
    assert statements == 1


def test_many_companies_cost_as_many_statements_as_one(database: Database, ids: dict[str, int]) -> None:
    assert newest(database, ids, "LONG", day=8)[1] == 2
    assert newest(database, ids, *DAYS, day=8)[1] == 2
