"""Closed companies, and those that no provider knows, counted by session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, func, select, update

from closingbell.models import Company, CompanyDecision, PriceHistory, UnknownSymbol
from closingbell.stores import decisions
from closingbell.stores.upsert import in_groups, upsert

# Who closes a company that nobody knows any more.
BY_ITSELF = "closingbell"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A company that no provider knew on ``session_count`` sessions since one did."""

    company_id: int
    session_count: int
    first_session: date
    last_session: date


def store_closed(connection: Connection, company_id: int, on: date, *, reason: str, by: str, now: datetime) -> None:
    """Close a company after a day, and write down who did it."""
    row = Company
    connection.execute(update(row).where(row.id == company_id).values(closed_on=on, closed_reason=reason))
    forget_unknown(connection, [company_id])
    detail = f"no bar is expected after {on}"
    decisions.store_decision(connection, company_id, decisions.CLOSED, on, detail=detail, by=by, why=reason, now=now)


def store_reopened(
    connection: Connection, company_id: int, closed_on: date, *, by: str, why: str, now: datetime
) -> None:
    """Open a company again, and write down who did it."""
    row = Company
    connection.execute(update(row).where(row.id == company_id).values(closed_on=None, closed_reason=None))
    forget_unknown(connection, [company_id])
    detail = f"it was closed on {closed_on}"
    decisions.store_decision(
        connection, company_id, decisions.REOPENED, closed_on, detail=detail, by=by, why=why, now=now
    )


def is_closed_by_itself(connection: Connection, company_id: int) -> bool:
    """Whether no person closed the company the last time."""
    row = CompanyDecision
    query = select(row.decided_by).where(row.company_id == company_id, row.kind == decisions.CLOSED)
    return connection.scalar(query.order_by(row.id.desc()).limit(1)) == BY_ITSELF


def load_unknown(connection: Connection, company_ids: Sequence[int]) -> dict[int, Unknown]:
    """Those of these companies that are being counted."""
    row, found = UnknownSymbol, {}
    for group in in_groups(company_ids):
        query = select(row.company_id, row.session_count, row.first_session, row.last_session)
        for values in connection.execute(query.where(row.company_id.in_(group))):
            found[values.company_id] = Unknown(*values)
    return found


def count_unknown(connection: Connection, company_id: int, session: date) -> None:
    """Count one more session on which no provider knew the company; each session counts once."""
    row = UnknownSymbol
    more = update(row).where(row.company_id == company_id, row.last_session < session)
    counted = connection.execute(more.values(session_count=row.session_count + 1, last_session=session))
    if counted.rowcount == 0:
        new = {"company_id": company_id, "session_count": 1, "first_session": session, "last_session": session}
        upsert(connection, row, [new])


def forget_unknown(connection: Connection, company_ids: Sequence[int]) -> None:
    """Begin anew with these companies: a provider knew them, or somebody decided."""
    row = UnknownSymbol
    for group in in_groups(company_ids):
        connection.execute(delete(row).where(row.company_id.in_(group)))


def newest_bar_date(connection: Connection, company_id: int) -> date | None:
    """The date of a company's newest bar."""
    bar = PriceHistory
    found: date | None = connection.scalar(select(func.max(bar.date)).where(bar.company_id == company_id))
    return found
