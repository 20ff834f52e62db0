"""Bars set aside: what they are, which rule they broke, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from closingbell.domain.bars import RULES
from closingbell.models import Company, PriceHistory, QuarantinedBar
from closingbell.stores import companies
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class QuarantinedView:
    """One bar set aside; ``sentence`` is what its rule says, ``released_at`` None while it waits for a decision.

    ``previous_close`` is the newest close that is stored before it.
    """

    id: int
    symbol: str
    date: date
    rule: str
    sentence: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    previous_close: Decimal | None
    provider: str
    first_seen_at: datetime
    last_seen_at: datetime
    released_at: datetime | None
    note: str | None


def list_quarantined(
    database: Database, *, symbols: tuple[str, ...] | None = None, open_only: bool = True
) -> list[QuarantinedView]:
    """Bars set aside, by symbol and date; raise UnknownSymbolError that names unknown symbols."""
    row = QuarantinedBar
    names = [name for name in QuarantinedView.__slots__ if name != "sentence"]
    special = {"symbol": Company.symbol, "previous_close": _close_before()}
    columns = [special[name] if name in special else getattr(row, name) for name in names]
    query = select(*columns).join(Company, Company.id == row.company_id).order_by(Company.symbol, row.date, row.id)
    if open_only:
        query = query.where(row.released_at.is_(None))
    with database.read() as connection:
        if symbols is not None:
            query = query.where(row.company_id.in_(companies.require_known(connection, symbols)))
        rows = [dict(zip(names, found, strict=True)) for found in connection.execute(query)]
    # A rule of a later version has no sentence here; its name says something too.
    return [QuarantinedView(sentence=RULES.get(found["rule"], found["rule"]), **found) for found in rows]


def _close_before() -> Any:
    """What is stored now: when the bar was set aside, its neighbours of the same answer were not yet."""
    bar, row = PriceHistory, QuarantinedBar
    before = select(bar.close).where(bar.company_id == row.company_id, bar.date < row.date)
    return before.order_by(bar.date.desc()).limit(1).scalar_subquery()
