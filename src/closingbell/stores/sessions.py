"""The sessions in use: read for planning, filled from a calendar where they are not written down yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from sqlalchemy import Connection, Date, Select, bindparam, column, delete, or_, select, update
from sqlalchemy import table as raw_table

from closingbell.domain.planning import SessionTimes
from closingbell.models import MarketCalendar, MarketHoliday, MarketSession
from closingbell.stores.upsert import table_of, upsert

# Its sessions are kept whether or not a company of it is held.
HOME = "XNYS"


@dataclass(frozen=True, slots=True)
class Closure:
    """A session of the calendar that a person closed; who and when is not known of old ones."""

    mic: str
    date: date
    reason: str | None
    closed_by: str | None
    closed_at: datetime | None


def load_range(connection: Connection, mic: str) -> tuple[date, date] | None:
    """The dates between which the sessions of ``mic`` are written down."""
    row = connection.execute(
        select(MarketCalendar.first_date, MarketCalendar.last_date).where(MarketCalendar.mic == mic)
    ).one_or_none()
    return (row.first_date, row.last_date) if row else None


def load_sessions(connection: Connection, mic: str, *, first: date, last: date | None = None) -> list[SessionTimes]:
    """The open sessions of ``mic`` from ``first`` on (to ``last``), ascending."""
    # The plain table, here and below: asking mapped classes would set up all mappers for a quick look.
    row = table_of(MarketSession).c
    query = select(row.date, row.open_at, row.close_at).where(row.mic == mic, row.date >= first, row.is_open.is_(True))
    if last is not None:
        query = query.where(row.date <= last)
    return [SessionTimes(*found) for found in connection.execute(query.order_by(row.date))]


# Of these only a column or two is looked at: naming their models would load two dozen classes for a quick look.
_COMPANY = raw_table("company", column("id"), column("mic"))
_ORDERS = raw_table("orders", column("company_id"), column("deleted_at"))
_WATCHED = raw_table("watched_company", column("company_id"))
_COVERAGE = raw_table(
    "price_coverage", column("company_id"), column("covered_from", Date), column("settled_until", Date)
)


def _mics_in_use(connection: Connection) -> set[str]:
    """The home exchange, and those of companies ordered or watched."""
    others = set(connection.scalars(select(_COMPANY.c.mic).distinct())) - {HOME}
    return {HOME} | {mic for mic in others if connection.scalar(_used(), {"mic": mic}) is not None}


@cache
def _used() -> Select[int]:
    # One company is enough for an exchange: whoever has thousands of them looks at a few. Asked for all exchanges at
    # once, MariaDB looks at every company and every order.
    company, order, watched = _COMPANY.c, _ORDERS.c, _WATCHED.c
    is_ordered = select(order.company_id).where(order.company_id == company.id, order.deleted_at.is_(None)).exists()
    is_watched = select(watched.company_id).where(watched.company_id == company.id).exists()
    used = select(company.id).where(company.mic == bindparam("mic"), or_(is_ordered, is_watched))
    return used.limit(1)


def load_sessions_in_use(
    connection: Connection, first: datetime, *, last: datetime | None = None
) -> dict[str, Sequence[SessionTimes]]:
    """The sessions from a day before ``first`` on: the home exchange's, and those of companies ordered or watched."""
    mics = _mics_in_use(connection)
    start = (first - timedelta(days=2)).date()
    end = last.date() if last is not None else None
    return {mic: load_sessions(connection, mic, first=start, last=end) for mic in sorted(mics)}


def store_sessions(
    connection: Connection,
    mic: str,
    sessions: Sequence[tuple[SessionTimes, str | None]],
    *,
    first: date,
    last: date,
    version: str,
    now: datetime,
) -> None:
    """Write down ``sessions`` (with what is special about each) of ``mic``; rows that are there stay as they are."""
    rows = [
        {
            "mic": mic,
            "date": s.date,
            "open_at": s.open_at,
            "close_at": s.close_at,
            "is_open": True,
            "reason": reason,
        }
        for s, reason in sessions
    ]
    upsert(connection, MarketSession, rows)
    known = load_range(connection, mic)
    if known is not None:
        first, last = min(first, known[0]), max(last, known[1])
    row = {"mic": mic, "first_date": first, "last_date": last, "filled_at": now, "version": version}
    upsert(connection, MarketCalendar, [row], update=("first_date", "last_date", "filled_at", "version"))


def store_holidays(connection: Connection, mic: str, holidays: Sequence[tuple[date, str]]) -> None:
    """Write down by what name a MIC is closed on these days."""
    rows = [{"mic": mic, "date": day, "name": name[:100]} for day, name in holidays]
    upsert(connection, MarketHoliday, rows, update=("name",))


def load_holidays(connection: Connection, mic: str, *, first: date, last: date) -> dict[date, str]:
    """The names of the days on which a MIC is closed, as its calendar or a person gives them."""
    row = table_of(MarketHoliday).c
    query = select(row.date, row.name).where(row.mic == mic, row.date.between(first, last))
    names: dict[date, str] = {found.date: found.name for found in connection.execute(query)}
    closed = load_closures(connection, mic)
    return names | {one.date: one.reason or "closed" for one in closed if first <= one.date <= last}


def load_closures(connection: Connection, mic: str | None = None) -> list[Closure]:
    """The sessions that people closed, of one MIC or of all, by MIC and date."""
    row = MarketSession
    columns = (row.mic, row.date, row.reason, row.closed_by, row.closed_at)
    query = select(*columns).where(row.is_open.is_(False)).order_by(row.mic, row.date)
    if mic is not None:
        query = query.where(row.mic == mic)
    return [Closure(*found) for found in connection.execute(query)]


def is_open(connection: Connection, mic: str, day: date) -> bool | None:
    """Whether the session of ``day`` is open; None when the calendar has none on it."""
    found: bool | None = connection.scalar(
        select(MarketSession.is_open).where(MarketSession.mic == mic, MarketSession.date == day)
    )
    return found


def store_closed(connection: Connection, mic: str, day: date, *, reason: str, by: str, now: datetime) -> bool:
    """Close a session; False when no open session is there (another person may have been first)."""
    row = MarketSession
    closed = {"is_open": False, "reason": reason, "closed_by": by, "closed_at": now}
    changed = connection.execute(
        update(row).where(row.mic == mic, row.date == day, row.is_open.is_(True)).values(**closed)
    )
    return changed.rowcount == 1


def store_reopened(connection: Connection, mic: str, day: date, *, reason: str | None) -> bool:
    """Open a closed session again, with what is special about it; False when no closed session is there.

    Complete ranges that reach over ``day`` were counted without it: they are forgotten, and counted anew by the next
    run that stores bars of their companies.
    """
    row, range_ = MarketSession, _COVERAGE.c
    opened = {"is_open": True, "reason": reason, "closed_by": None, "closed_at": None}
    changed = connection.execute(
        update(row).where(row.mic == mic, row.date == day, row.is_open.is_(False)).values(**opened)
    )
    if changed.rowcount != 1:
        return False
    of_mic = select(_COMPANY.c.id).where(_COMPANY.c.mic == mic)
    connection.execute(
        delete(_COVERAGE).where(range_.company_id.in_(of_mic), range_.covered_from <= day, range_.settled_until >= day)
    )
    return True
