"""Bars that a person set by hand: stored over whatever is there, and taken back."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, delete, select, update

from closingbell.domain.bars import MANUAL, Bar, MergedBars, StoredBar
from closingbell.domain.money import PRICE_SCALE, to_scaled
from closingbell.models import PriceCoverage, PriceHistory, PriceRevision
from closingbell.stores import prices, summaries
from closingbell.stores.bulk import raw_instant
from closingbell.stores.upsert import table_of


def load_bar(connection: Connection, company_id: int, day: date) -> StoredBar | None:
    """The stored bar of one session."""
    return prices.load_bars(connection, {company_id: day}).get(company_id, {}).get(day)


def store_manual(connection: Connection, company_id: int, held: StoredBar | None, bar: Bar, *, at: datetime) -> bool:
    """Store a person's bar, settled, in place of ``held``; False when another process changed that meanwhile.

    What stood there is kept as a revision, unless it was made while its session ran.
    """
    if held is None:
        seen_at = raw_instant(connection, at)
        rows = prices.new_rows(company_id, [bar], settled_to=bar.date, provider=MANUAL, fetched_at=seen_at, flags={})
        prices.store_new(connection, rows)
        return load_bar(connection, company_id, bar.date) == StoredBar(bar, True, MANUAL, at)
    changed = MergedBars([], [(held, bar)], [], 0)
    if not prices.store_changes(connection, company_id, changed, settled_to=bar.date, provider=MANUAL, at=at):
        return False
    connection.execute(update(PriceHistory).where(*_is(company_id, bar.date)).values(flag=None))
    prices.remove_filled_gaps(connection, [(company_id, bar.date)])
    return True


def store_given_back(connection: Connection, company_id: int, held: StoredBar) -> StoredBar | None:
    """Put what stood before a person's bar back in its place, provisional; the bar now there, None when there was none.

    A complete range that holds the session is forgotten, and counted anew by the next run.
    """
    before = _load_before(connection, company_id, held.bar.date)
    if before is None:
        connection.execute(delete(PriceHistory).where(*_is(company_id, held.bar.date), PriceHistory.provider == MANUAL))
        summaries.touch(connection, [(company_id, held.bar.date)])
    else:
        changed = MergedBars([], [(held, before.bar)], [], 0)
        prices.store_changes(
            connection, company_id, changed, settled_to=None, provider=before.provider, at=before.fetched_at
        )
        connection.execute(update(PriceHistory).where(*_is(company_id, held.bar.date)).values(is_settled=False))
    range_, day = PriceCoverage, held.bar.date
    connection.execute(
        delete(range_).where(range_.company_id == company_id, range_.covered_from <= day, range_.settled_until >= day)
    )
    return before


def _is(company_id: int, day: date) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return PriceHistory.company_id == company_id, PriceHistory.date == day


def _load_before(connection: Connection, company_id: int, day: date) -> StoredBar | None:
    """What the first of the newest bars set by hand took the place of."""
    row = table_of(PriceRevision).c
    query = (
        select(row.old_open, row.old_high, row.old_low, row.old_close, row.old_volume, row.old_provider,
               row.old_fetched_at)
        .where(row.company_id == company_id, row.date == day)
        .where(row.new_provider == MANUAL, row.old_provider != MANUAL)
        .order_by(row.id.desc())
        .limit(1)
    )  # fmt: skip
    found = connection.execute(query).one_or_none()
    if found is None:
        return None
    *decimals, volume, provider, fetched_at = found
    o, h, low, c = (to_scaled(price, PRICE_SCALE) for price in decimals)
    return StoredBar(Bar(day, o, h, low, c, volume), False, provider, fetched_at)
