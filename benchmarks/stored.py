"""A database with millions of bars in it, written session by session as a daily job writes them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from sqlalchemy import Connection, text

from benchmarks.databases import new_database
from benchmarks.ours import MIC, Ours, clone_symbols, opened, sessions
from closingbell.jobs.market_time import load_session_list
from closingbell.stores import companies, prices, summaries

# No market is asked; the port of "discard" answers nobody.
NOBODY = "http://127.0.0.1:9"
NEWEST = date(2013, 2, 28)
# Sessions a transaction.
_AT_ONCE = 20


def newest_sessions(count: int, *, until: date = NEWEST) -> list[tuple[date, datetime]]:
    """So many sessions up to a certain day, each with the instant after its close."""
    return sessions(date(2002, 1, 2), until)[-count:]


@contextmanager
def prepared(kind: str, size: int, session_count: int, *, until: date = NEWEST) -> Iterator[Ours]:
    """Companies bought before the first of the sessions, and no bar yet; the database is dropped afterwards."""
    known = newest_sessions(session_count, until=until)
    with new_database(kind) as url, opened(url, market_url=NOBODY, concurrency=8) as ours:
        ours.set_up()
        ours.buy(clone_symbols(size), known[0][0])
        context = ours.at(known[-1][1])
        load_session_list(context, MIC, known[0][0], now=known[-1][1])
        yield ours


def company_ids(ours: Ours) -> list[int]:
    """The companies held."""
    with ours.context.database.read() as connection:
        return [company.id for company, _ in companies.load_held(connection)]


def fill(ours: Ours, session_count: int, *, until: date = NEWEST) -> float:
    """Store a bar of every company on each session, date by date; give the seconds it took.

    The server makes the rows, so that loading them costs no more than keeping them; the newest one is provisional.
    """
    days = [day for day, _ in newest_sessions(session_count, until=until)]
    database = ours.context.database
    began = time.perf_counter()
    for start in range(0, len(days), _AT_ONCE):
        part = days[start : start + _AT_ONCE]

        def unit(connection: Connection, part: Sequence[date] = part) -> None:
            for day in part:
                _store_session(connection, day, is_settled=day != days[-1])

        database.write_unit(unit)
    ids = company_ids(ours)
    database.write_unit(lambda connection: summaries.rebuild(connection, ids))
    cover(ours, ids, days[0], days[-2])
    _analyze(ours)
    return time.perf_counter() - began


def cover(ours: Ours, ids: Sequence[int], first: date, last: date) -> None:
    """Write down that the companies' history is complete from one session to another."""
    ranges = dict.fromkeys(ids, (first, last))
    ours.context.database.write_unit(lambda connection: prices.store_coverage(connection, ranges))


def _store_session(connection: Connection, day: date, *, is_settled: bool) -> None:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(
        map(
            quote,
            ("company_id", "date", "open", "high", "low", "close", "volume", "is_settled", "provider", "fetched_at"),
        )
    )
    # Prices that differ from day to day and from company to company, as compressible as real ones are not.
    price = f"20000000 + id * 7919 % 90000000 + id * {day.toordinal()} % 1000003"
    settled = "true" if is_settled else "false"
    statement = (
        f"INSERT INTO price_history ({columns}) SELECT id, '{day}', {price}, {price} + 300000, {price} - 300000, "
        f"{price} + 100000, 1000000 + id * 31, {settled}, 'yahoo', '{day} 21:30:00.000000' FROM company ORDER BY id"
    )
    # A colon would be a parameter of ``text``.
    connection.execute(text(statement.replace(":", r"\:")))


def _analyze(ours: Ours) -> None:
    """What each server does by itself after a while: count rows for its planner, finish what is being written."""
    tables = "price_history, price_summary, price_coverage, company, orders"
    statement = {
        "postgresql": f"VACUUM ANALYZE {tables}",
        "mysql": f"ANALYZE TABLE {tables}",
        "sqlite": "PRAGMA wal_checkpoint(TRUNCATE)",
    }[ours.context.database.dialect]
    engine = ours.context.database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(statement)
