"""Daily bars: read for planning and comparing, stored in bulk, changed with a revision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from closingbell.domain.bars import INTRADAY, Bar, MergedBars, StoredBar
from closingbell.domain.days import StoredDays
from closingbell.domain.money import PRICE_SCALE, from_scaled
from closingbell.models import PriceCoverage, PriceGap, PriceHistory, PriceRevision
from closingbell.stores import summaries
from closingbell.stores.bulk import BULK_FROM, insert_raw
from closingbell.stores.upsert import in_groups, raw_prices, table_of, upsert

_FIELDS = ("open", "high", "low", "close", "volume")
_COLUMNS = ("company_id", "date", *_FIELDS, "is_settled", "provider", "fetched_at", "flag")

_RAW = raw_prices(PriceHistory)


def load_coverage(connection: Connection, company_ids: Sequence[int]) -> dict[int, tuple[date, date]]:
    """The range (from, until) in which each company's history is known to be complete."""
    ranges = {}
    for group in in_groups(company_ids):
        rows = connection.execute(
            select(PriceCoverage.company_id, PriceCoverage.covered_from, PriceCoverage.settled_until).where(
                PriceCoverage.company_id.in_(group)
            )
        )
        ranges.update({row.company_id: (row.covered_from, row.settled_until) for row in rows})
    return ranges


def load_loose(
    connection: Connection, company_ids: Sequence[int], covered: Mapping[int, tuple[date, date]]
) -> dict[int, StoredDays]:
    """The days outside each company's complete range that have a bar: (date, is settled), ascending.

    A bar made while its session ran is none of them: the session's close is still to be had.
    """
    loose = summaries.load_days(connection, company_ids)
    for company_id, (first, last) in covered.items():
        if company_id in loose:
            loose[company_id] = loose[company_id].without(first, last)
    return {company_id: days for company_id, days in loose.items() if days.closes}


def load_gaps(connection: Connection, company_ids: Sequence[int]) -> dict[int, dict[date, tuple[int, datetime | None]]]:
    """Known gaps by company: date -> (how often asked, when to ask again or None for never)."""
    gaps: dict[int, dict[date, tuple[int, datetime | None]]] = {}
    for group in in_groups(company_ids):
        rows = connection.execute(
            select(PriceGap.company_id, PriceGap.date, PriceGap.asked_count, PriceGap.next_ask_at).where(
                PriceGap.company_id.in_(group)
            )
        )
        for company_id, day, asked_count, next_ask_at in rows:
            gaps.setdefault(company_id, {})[day] = (asked_count, next_ask_at)
    return gaps


def load_bars(connection: Connection, firsts: Mapping[int, date]) -> dict[int, dict[date, StoredBar]]:
    """Stored bars of each company from its date on, by date."""
    by_first: dict[date, list[int]] = {}
    for company_id, first in firsts.items():
        by_first.setdefault(first, []).append(company_id)
    stored: dict[int, dict[date, StoredBar]] = {}
    for first, company_ids in by_first.items():
        for group in in_groups(company_ids):
            rows = connection.execute(select(_RAW).where(_RAW.c.company_id.in_(group), _RAW.c.date >= first))
            for company_id, day, o, h, low, c, volume, is_settled, provider, fetched_at, flag in rows:
                bar = Bar(day, o, h, low, c, volume)
                stored.setdefault(company_id, {})[day] = StoredBar(bar, bool(is_settled), provider, fetched_at, flag)
    return stored


def load_closed_bars(connection: Connection, company_id: int, *, first: date, last: date) -> list[Bar]:
    """A company's bars in a range that were not made while their session ran, ascending."""
    query = select(_RAW).where(_RAW.c.company_id == company_id, _RAW.c.date.between(first, last))
    return [
        Bar(day, o, h, low, c, volume)
        for _, day, o, h, low, c, volume, *_, flag in connection.execute(query.order_by(_RAW.c.date))
        if flag != INTRADAY
    ]


def load_previous_closes(connection: Connection, befores: Mapping[int, date]) -> dict[int, int]:
    """The newest stored close, in millionths, of each company before its date."""
    by_date: dict[date, list[int]] = {}
    for company_id, days in summaries.load_days(connection, list(befores)).items():
        # Found among the days: databases would read a company's whole history for it.
        if earlier := days.closes.between(date.min, befores[company_id] - timedelta(days=1)):
            by_date.setdefault(earlier.last, []).append(company_id)
    closes: dict[int, int] = {}
    for day, company_ids in by_date.items():
        for group in in_groups(company_ids):
            query = select(_RAW.c.company_id, _RAW.c.close).where(_RAW.c.date == day, _RAW.c.company_id.in_(group))
            closes.update((company_id, close) for company_id, close in connection.execute(query))
    return closes


def load_close_before(connection: Connection, company_id: int, day: date) -> tuple[date, int] | None:
    """The newest stored close of a company before a day: its date, and the price in millionths."""
    days = summaries.load_days(connection, [company_id]).get(company_id)
    earlier = days.closes.between(date.min, day - timedelta(days=1)) if days else None
    if not earlier:
        return None
    close = connection.scalar(select(_RAW.c.close).where(_RAW.c.company_id == company_id, _RAW.c.date == earlier.last))
    return None if close is None else (earlier.last, close)


def new_rows(
    company_id: int,
    bars: Iterable[Bar],
    *,
    settled_to: date | None,
    provider: str,
    fetched_at: Any,
    flags: Mapping[date, str],
) -> list[tuple[Any, ...]]:
    """Rows of ``store_new`` for one company; ``fetched_at`` as ``raw_instant`` gives it."""
    limit = settled_to or date.min
    return [(company_id, *bar, bar.date <= limit, provider, fetched_at, flags.get(bar.date)) for bar in bars]


def store_new(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of ``new_rows``; a bar that another process stored meanwhile stays as it is."""
    if not rows:
        return
    are_new = insert_raw(connection, PriceHistory, _COLUMNS, rows)
    # Few bars are read back as all that is written; of many only the newest of each company.
    if are_new and len(rows) >= BULK_FROM:
        summaries.touch_new(connection, rows, settled_at=_COLUMNS.index("is_settled"), flag_at=_COLUMNS.index("flag"))
    else:
        summaries.touch(connection, [(row[0], row[1]) for row in rows])


def store_changes(
    connection: Connection,
    company_id: int,
    merged: MergedBars,
    *,
    settled_to: date | None,
    provider: str,
    at: datetime,
) -> int:
    """Rewrite changed bars, each with a revision that keeps the old one; return how many were ours to rewrite.

    The update names the old values and their provider: when another process, or a person, rewrote the bar first,
    nothing happens here. What was made while the session ran was expected to move: its end leaves no revision, which
    tells of a source that changed its mind about a close.
    """
    table = table_of(PriceHistory)
    count = 0
    for held, answer in merged.changed:
        values = {name: from_scaled(getattr(answer, name), PRICE_SCALE) for name in _FIELDS[:4]}
        settles = held.is_settled or (settled_to is not None and answer.date <= settled_to)
        changed = connection.execute(
            update(table)
            .where(table.c.company_id == company_id, table.c.date == answer.date, table.c.provider == held.provider)
            .where(*(table.c[name] == _stored(held, name) for name in _FIELDS))
            .values(
                **values, volume=answer.volume, is_settled=settles, provider=provider, fetched_at=at, **_unflag(held)
            )
        )
        if changed.rowcount == 1:
            if held.flag != INTRADAY:
                connection.execute(insert(PriceRevision).values(_revision(company_id, held, answer, provider, at)))
            summaries.touch(connection, [(company_id, answer.date)])
            count += 1
    return count


def _unflag(held: StoredBar) -> dict[str, None]:
    """A close takes the flag off a bar made while its session ran; other flags stay."""
    return {"flag": None} if held.flag == INTRADAY else {}


def _stored(held: StoredBar, name: str) -> Any:
    value = getattr(held.bar, name)
    return value if name == "volume" else from_scaled(value, PRICE_SCALE)


def _revision(company_id: int, held: StoredBar, answer: Bar, provider: str, at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {"company_id": company_id, "date": answer.date}
    for age, bar in (("old", held.bar), ("new", answer)):
        row |= {f"{age}_{name}": from_scaled(getattr(bar, name), PRICE_SCALE) for name in _FIELDS[:4]}
        row[f"{age}_volume"] = bar.volume
    row |= {"old_provider": held.provider, "old_fetched_at": held.fetched_at}
    return row | {"new_provider": provider, "new_fetched_at": at}


def store_intraday(
    connection: Connection, company_id: int, held: StoredBar, bar: Bar, *, provider: str, at: datetime
) -> bool:
    """Rewrite today's provisional bar as its session goes on; False when another process rewrote it first."""
    table = table_of(PriceHistory)
    values = {name: from_scaled(getattr(bar, name), PRICE_SCALE) for name in _FIELDS[:4]}
    changed = connection.execute(
        update(table)
        .where(table.c.company_id == company_id, table.c.date == bar.date, table.c.is_settled.is_(False))
        .where(*(table.c[name] == _stored(held, name) for name in _FIELDS), table.c.fetched_at == held.fetched_at)
        .values(**values, volume=bar.volume, provider=provider, fetched_at=at, flag=INTRADAY)
    )
    if changed.rowcount == 1:
        summaries.touch(connection, [(company_id, bar.date)])
    return changed.rowcount == 1


def store_settled(connection: Connection, confirmed: Mapping[date, Sequence[int]]) -> None:
    """Mark the bars of these companies on these dates as settled."""
    table = table_of(PriceHistory)
    for day, company_ids in confirmed.items():
        for group in in_groups(company_ids):
            connection.execute(
                update(table).where(table.c.date == day, table.c.company_id.in_(group)).values(is_settled=True)
            )
        summaries.touch(connection, [(company_id, day) for company_id in company_ids])


def store_coverage(connection: Connection, ranges: Mapping[int, tuple[date, date]]) -> None:
    """Write down the range in which each company's history is complete."""
    rows = [{"company_id": i, "covered_from": a, "settled_until": b} for i, (a, b) in sorted(ranges.items())]
    upsert(connection, PriceCoverage, rows, update=("covered_from", "settled_until"))


def store_gaps(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write down sessions that a provider answered without."""
    upsert(connection, PriceGap, rows, update=("reason", "asked_count", "last_asked_at", "next_ask_at"))


def remove_filled_gaps(connection: Connection, filled: Iterable[tuple[int, date]]) -> None:
    """Forget gaps that an answer filled after all."""
    table = table_of(PriceGap)
    rows = [{"b_company": company_id, "b_date": day} for company_id, day in filled]
    if rows:
        statement = table.delete().where(
            table.c.company_id == bindparam("b_company"), table.c.date == bindparam("b_date")
        )
        connection.execute(statement, rows)
