"""What people decided about companies, newest last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from closingbell.models import Company, CompanyDecision
from closingbell.stores import companies
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One decision: ``date`` is the day it is about."""

    symbol: str
    kind: str
    date: date
    detail: str
    decided_by: str
    why: str
    decided_at: datetime


def list_decisions(database: Database, *, symbols: tuple[str, ...] | None = None) -> list[DecisionView]:
    """Every decision, or those about chosen companies; raise UnknownSymbolError that names unknown symbols."""
    row = CompanyDecision
    columns = (row.kind, row.date, row.detail, row.decided_by, row.why, row.decided_at)
    query = select(Company.symbol, *columns).join(Company, Company.id == row.company_id).order_by(row.id)
    with database.read() as connection:
        if symbols is not None:
            query = query.where(row.company_id.in_(companies.require_known(connection, symbols)))
        return [DecisionView(*found) for found in connection.execute(query)]
