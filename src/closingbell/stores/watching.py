"""Who is followed through the session: companies traded of late, and those that a person watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from closingbell.models import Company, Order, WatchedCompany
from closingbell.stores.companies import FACTS, CompanyFacts
from closingbell.stores.upsert import upsert


@dataclass(frozen=True, slots=True)
class Watched:
    """A company that a person watches."""

    symbol: str
    mic: str
    watched_at: datetime
    watched_by: str


def load_traded(connection: Connection, *, after: datetime, before: datetime) -> list[CompanyFacts]:
    """Companies with an order executed between two instants, by symbol."""
    traded = select(Order.company_id).where(
        Order.executed_at.between(after, before), Order.deleted_at.is_(None), Order.type.in_(("BUY", "SELL"))
    )
    rows = connection.execute(select(*FACTS).where(Company.id.in_(traded)).order_by(Company.symbol))
    return [CompanyFacts(*row) for row in rows]


def load_watched_facts(connection: Connection) -> list[CompanyFacts]:
    """The companies watched, as planning needs them, by symbol."""
    query = select(*FACTS).join(WatchedCompany, WatchedCompany.company_id == Company.id).order_by(Company.symbol)
    return [CompanyFacts(*row) for row in connection.execute(query)]


def load_watched(connection: Connection) -> list[Watched]:
    """The companies watched, since when and by whom, by symbol."""
    row = WatchedCompany
    query = select(Company.symbol, Company.mic, row.watched_at, row.watched_by).join(row, row.company_id == Company.id)
    return [Watched(*found) for found in connection.execute(query.order_by(Company.symbol))]


def store_watched(connection: Connection, company_ids: Sequence[int], *, by: str, now: datetime) -> None:
    """Watch these companies; one that is watched already stays as it is."""
    rows = [{"company_id": company_id, "watched_at": now, "watched_by": by} for company_id in company_ids]
    upsert(connection, WatchedCompany, rows)


def remove_watched(connection: Connection, company_id: int) -> bool:
    """Stop watching a company; False when nobody watched it."""
    gone = connection.execute(delete(WatchedCompany).where(WatchedCompany.company_id == company_id))
    return gone.rowcount == 1
