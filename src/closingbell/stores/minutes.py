"""Minute bars: read for today's bar, stored and rewritten, removed when they are old."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, Connection, column, delete, exists, func, select
from sqlalchemy import table as raw_table

from closingbell.domain.intraday import Minute, MinuteLike
from closingbell.models import Company, MinuteBar
from closingbell.models.types import UtcDateTime
from closingbell.stores.bulk import raw_instant
from closingbell.stores.upsert import in_groups, table_of

_KEY = ("company_id", "at")
_PRICES = ("open", "high", "low", "close", "volume")
_COLUMNS = (*_KEY, *_PRICES, "provider", "fetched_at")

# The same table with prices as the integers they are stored as: a Decimal each would cost more than the rest.
_RAW = raw_table(
    "minute_bar",
    column("company_id", BigInteger),
    column("at", UtcDateTime),
    *(column(name, BigInteger) for name in _PRICES),
)


def load_newest(connection: Connection, company_ids: Sequence[int]) -> dict[int, datetime]:
    """The newest stored minute of each company that has any."""
    row = MinuteBar
    newest: dict[int, datetime] = {}
    for group in in_groups(company_ids):
        query = select(row.company_id, func.max(row.at)).where(row.company_id.in_(group)).group_by(row.company_id)
        newest.update((company_id, at) for company_id, at in connection.execute(query))
    return newest


def load_minutes(
    connection: Connection, company_ids: Sequence[int], *, first: datetime
) -> dict[int, dict[datetime, Minute]]:
    """The stored minutes of each company from an instant on."""
    stored: dict[int, dict[datetime, Minute]] = {}
    for group in in_groups(company_ids):
        query = select(_RAW).where(_RAW.c.company_id.in_(group), _RAW.c.at >= first)
        for company_id, at, *values in connection.execute(query):
            stored.setdefault(company_id, {})[at] = Minute(at, *values)
    return stored


def store_minutes(
    connection: Connection, company_id: int, minutes: Iterable[MinuteLike], *, provider: str, fetched_at: datetime
) -> None:
    """Insert minutes, and rewrite those that are there."""
    at = raw_instant(connection, fetched_at)
    rows = [
        (company_id, raw_instant(connection, m.at), m.open, m.high, m.low, m.close, m.volume, provider, at)
        for m in minutes
    ]
    if rows:
        connection.exec_driver_sql(_upsert_statement(connection), cast(Any, rows))


def _upsert_statement(connection: Connection) -> str:
    quote = connection.dialect.identifier_preparer.quote
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names, marks = ", ".join(map(quote, _COLUMNS)), ", ".join([mark] * len(_COLUMNS))
    changed = [quote(name) for name in _COLUMNS if name not in _KEY]
    insert = f"INSERT INTO {table_of(MinuteBar).name} ({names}) VALUES ({marks})"
    if connection.dialect.name == "mysql":
        # MariaDB does not know the newer form with an alias.
        return f"{insert} ON DUPLICATE KEY UPDATE {', '.join(f'{name} = VALUES({name})' for name in changed)}"
    keys = ", ".join(map(quote, _KEY))
    return f"{insert} ON CONFLICT ({keys}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in changed)}"


def remove_minutes(connection: Connection, *, before: datetime, most: int) -> int:
    """Remove up to ``most`` minutes of one company that are older than an instant; return how many, 0 at the end.

    Company by company, because that is how the table is sorted: no scan, no index of its own.
    """
    row = MinuteBar
    old = exists().where(row.company_id == Company.id, row.at < before)
    company_id = connection.scalar(select(Company.id).where(old).limit(1))
    if company_id is None:
        return 0
    of_company = (row.company_id == company_id, row.at < before)
    instants = connection.scalars(select(row.at).where(*of_company).order_by(row.at).limit(most)).all()
    return connection.execute(delete(row).where(row.company_id == company_id, row.at <= instants[-1])).rowcount
