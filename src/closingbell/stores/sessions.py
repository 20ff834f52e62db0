"""The sessions in use: read for planning, filled from a calendar where they are not written down yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select

from closingbell.domain.planning import SessionTimes
from closingbell.models import MarketCalendar, MarketSession
from closingbell.stores import companies
from closingbell.stores.upsert import upsert

# Its sessions are kept whether or not a company of it is held.
HOME = "XNYS"


def load_range(connection: Connection, mic: str) -> tuple[date, date] | None:
    """The dates between which the sessions of ``mic`` are written down."""
    row = connection.execute(
        select(MarketCalendar.first_date, MarketCalendar.last_date).where(MarketCalendar.mic == mic)
    ).one_or_none()
    return (row.first_date, row.last_date) if row else None


def load_sessions(connection: Connection, mic: str, *, first: date) -> list[SessionTimes]:
    """The open sessions of ``mic`` from ``first`` on, ascending."""
    rows = connection.execute(
        select(MarketSession.date, MarketSession.open_at, MarketSession.close_at)
        .where(MarketSession.mic == mic, MarketSession.date >= first, MarketSession.is_open.is_(True))
        .order_by(MarketSession.date)
    )
    return [SessionTimes(*row) for row in rows]


def load_sessions_in_use(connection: Connection, first: datetime) -> dict[str, Sequence[SessionTimes]]:
    """The sessions, from a day before ``first`` on, of the home exchange and of those of companies held."""
    mics = {HOME} | {company.mic for company, _ in companies.load_held(connection)}
    start = (first - timedelta(days=2)).date()
    return {mic: load_sessions(connection, mic, first=start) for mic in sorted(mics)}


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
