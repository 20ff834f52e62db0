"""Bars set aside: kept with the rule they broke, released when an answer or a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Connection, insert, select, update

from closingbell.domain.bars import Bar, Finding
from closingbell.domain.money import PRICE_SCALE, from_scaled, to_scaled
from closingbell.models import QuarantinedBar
from closingbell.stores.upsert import in_groups

_PRICES = ("open", "high", "low", "close")


def load_open(connection: Connection, company_ids: Sequence[int]) -> dict[int, dict[tuple[date, str], Bar]]:
    """Bars of these companies that are set aside and not released, by date and rule."""
    row = QuarantinedBar
    kept: dict[int, dict[tuple[date, str], Bar]] = {}
    for group in in_groups(company_ids):
        query = select(row.company_id, row.date, row.rule, row.open, row.high, row.low, row.close, row.volume).where(
            row.company_id.in_(group), row.released_at.is_(None)
        )
        for company_id, day, rule, *decimals, volume in connection.execute(query):
            o, h, low, c = (to_scaled(price, PRICE_SCALE) for price in decimals)
            kept.setdefault(company_id, {})[(day, rule)] = Bar(day, o, h, low, c, volume)
    return kept


def store_findings(
    connection: Connection,
    company_id: int,
    findings: Sequence[Finding],
    *,
    previous_close: int | None,
    provider: str,
    at: datetime,
) -> None:
    """Keep bars that broke a rule; one that is kept already for the same rule is seen again with its newest values."""
    table = QuarantinedBar
    for bar, rule in findings:
        values = {name: from_scaled(getattr(bar, name), PRICE_SCALE) for name in _PRICES}
        values_and_time = {**values, "volume": bar.volume, "last_seen_at": at}
        seen_again = connection.execute(
            update(table)
            .where(table.company_id == company_id, table.date == bar.date, table.rule == rule)
            .where(table.released_at.is_(None))
            .values(**values_and_time)
        )
        if not seen_again.rowcount:
            before = None if previous_close is None else from_scaled(previous_close, PRICE_SCALE)
            connection.execute(
                insert(table).values(
                    company_id=company_id,
                    date=bar.date,
                    rule=rule,
                    previous_close=before,
                    provider=provider,
                    first_seen_at=at,
                    **values_and_time,
                )
            )


def release(connection: Connection, company_id: int, days: Sequence[date], *, at: datetime) -> None:
    """Release what was set aside on days that have a good bar now."""
    table = QuarantinedBar
    connection.execute(
        update(table)
        .where(table.company_id == company_id, table.date.in_(days), table.released_at.is_(None))
        .values(released_at=at, note="a later answer was stored")
    )
