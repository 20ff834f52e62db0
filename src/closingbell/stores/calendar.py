"""Announced dividends: what calendars said, and when they were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Connection, select

from closingbell.domain.calendar_planning import Announced
from closingbell.models import AnnouncedDividend, CalendarQuestion
from closingbell.stores.upsert import in_groups, upsert


def load_announced(connection: Connection, company_ids: Sequence[int], *, first: date) -> dict[int, list[Announced]]:
    """Announced ex-dates from ``first`` on, by company."""
    row = AnnouncedDividend
    found: dict[int, list[Announced]] = {}
    for group in in_groups(company_ids):
        query = select(row.company_id, row.ex_date, row.pay_date).where(row.company_id.in_(group), row.ex_date >= first)
        for one in connection.execute(query.order_by(row.company_id, row.ex_date)):
            found.setdefault(one.company_id, []).append(Announced(*one))
    return found


def load_asked(connection: Connection, company_ids: Sequence[int]) -> dict[int, datetime]:
    """When each company's calendar was asked for last."""
    row = CalendarQuestion
    asked: dict[int, datetime] = {}
    for group in in_groups(company_ids):
        for company_id, at in connection.execute(select(row.company_id, row.asked_at).where(row.company_id.in_(group))):
            asked[company_id] = at
    return asked


def store_announced(connection: Connection, announced: Sequence[Announced], *, provider: str, at: datetime) -> None:
    """Keep what calendars say; a pay date that is no longer named stays as it was named last."""
    rows = [
        {
            "company_id": one.company_id,
            "ex_date": one.ex_date,
            "pay_date": one.pay_date,
            "provider": provider,
            "first_seen_at": at,
            "last_seen_at": at,
        }
        for one in announced
    ]
    dated = [row for row in rows if row["pay_date"] is not None]
    undated = [row for row in rows if row["pay_date"] is None]
    upsert(connection, AnnouncedDividend, dated, update=("pay_date", "provider", "last_seen_at"))
    upsert(connection, AnnouncedDividend, undated, update=("last_seen_at",))


def store_asked(connection: Connection, outcomes: Mapping[int, str], *, at: datetime) -> None:
    """Remember who was asked and what came of it."""
    rows = [{"company_id": key, "asked_at": at, "outcome": outcome[:24]} for key, outcome in sorted(outcomes.items())]
    upsert(connection, CalendarQuestion, rows, update=("asked_at", "outcome"))
