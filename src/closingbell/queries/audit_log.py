"""What people did: who, when, what, on which thing, from where; the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select

from closingbell.domain.market_zones import NEW_YORK
from closingbell.models import AuditEntry
from closingbell.stores.database import Database

# Days of a filter are New York's, as everywhere.


@dataclass(frozen=True, slots=True)
class AuditView:
    """One thing that somebody did; ``at`` is real time, ``address`` is known of what was done in a browser."""

    id: int
    at: datetime
    who: str
    action: str
    target: str
    detail: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries: by parts of who, action and target in any letters, and by days in New York, both included."""

    who: str | None = None
    action: str | None = None
    target: str | None = None
    first: date | None = None
    last: date | None = None


def list_audit_log(database: Database, wanted: AuditFilter, *, limit: int) -> list[AuditView]:
    """The newest entries that the filter lets through."""
    row = AuditEntry
    query = select(*(getattr(row, name) for name in AuditView.__slots__)).order_by(row.id.desc()).limit(limit)
    for column, part in ((row.who, wanted.who), (row.action, wanted.action), (row.target, wanted.target)):
        if part:
            query = query.where(column.icontains(part, autoescape=True))
    if wanted.first is not None:
        query = query.where(row.at >= _midnight(wanted.first))
    if wanted.last is not None and wanted.last < date.max:
        query = query.where(row.at < _midnight(wanted.last + timedelta(days=1)))
    with database.read() as connection:
        return [AuditView(*found) for found in connection.execute(query)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=NEW_YORK)
