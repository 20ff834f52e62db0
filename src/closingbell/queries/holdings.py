"""What is stored of each company: how many bars, how fresh, and the newest close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select

from closingbell.models import Company, PriceHistory
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """One company's stored bars; ``close`` is the newest, as traded."""

    symbol: str
    name: str | None
    currency: str | None
    bar_count: int
    first_date: date
    last_date: date
    close: Decimal
    is_settled: bool


def stored_histories(database: Database) -> list[StoredHistory]:
    """Every company that has bars, by symbol."""
    bar = PriceHistory
    spans = (
        select(bar.company_id, func.count().label("bar_count"), func.min(bar.date).label("first"),
               func.max(bar.date).label("last"))
        .group_by(bar.company_id)
        .subquery()
    )  # fmt: skip
    query = (
        select(
            Company.symbol, Company.name, Company.currency, spans.c.bar_count, spans.c.first, spans.c.last,
            bar.close, bar.is_settled,
        )
        .join(spans, spans.c.company_id == Company.id)
        .join(bar, (bar.company_id == Company.id) & (bar.date == spans.c.last))
        .order_by(Company.symbol)
    )  # fmt: skip
    with database.read() as connection:
        return [StoredHistory(*row) for row in connection.execute(query)]
