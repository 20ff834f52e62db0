"""Bars set aside: kept with the rule they broke, released when an answer or a person decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from closingbell.domain.bars import MANUAL, Bar, Finding, MergedBars, same_bar
from closingbell.domain.money import PRICE_SCALE, from_scaled, to_scaled
from closingbell.models import Company, PriceHistory, QuarantinedBar
from closingbell.stores import prices, summaries
from closingbell.stores.bulk import raw_instant
from closingbell.stores.upsert import in_groups

_PRICES = ("open", "high", "low", "close")

# A bar that a person accepted carries this flag; notes of what people decided begin with one of these words.
ACCEPTED = "accepted"
REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """One bar set aside, as a decision needs it; ``is_open`` until an answer or a person decided.

    ``is_intraday``: its session still ran.
    """

    company_id: int
    symbol: str
    mic: str
    bar: Bar
    provider: str
    last_seen_at: datetime
    is_intraday: bool
    is_open: bool
    note: str | None


@dataclass(frozen=True, slots=True)
class Undecided:
    """One bar set aside of which nobody has said anything yet; ``currency`` is its company's."""

    id: int
    company_id: int
    symbol: str
    currency: str | None
    rule: str
    bar: Bar
    provider: str
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Jump:
    """A bar set aside by the jump rule that nobody decided on, and whose it is."""

    id: int
    company_id: int
    symbol: str
    mic: str
    bar: Bar


def load_jumps(connection: Connection) -> list[Jump]:
    """Bars of companies not closed that the jump rule set aside and that are not released."""
    row = QuarantinedBar
    query = (
        select(
            row.id, row.company_id, Company.symbol, Company.mic,
            row.date, row.open, row.high, row.low, row.close, row.volume,
        )
        .join(Company, Company.id == row.company_id)
        .where(row.rule == "jump", row.released_at.is_(None), Company.closed_on.is_(None))
        .order_by(row.id)
    )  # fmt: skip
    return [Jump(*found[:4], _bar_of(*found[4:])) for found in connection.execute(query)]


def load_undecided(connection: Connection, symbols: Sequence[str]) -> list[Undecided]:
    """What was set aside of these companies when they were last looked at, and waits without a note."""
    row = QuarantinedBar
    found: list[Undecided] = []
    for group in in_groups(symbols):
        query = (
            select(
                row.id, row.company_id, Company.symbol, Company.currency, row.rule, row.provider, row.last_seen_at,
                row.date, row.open, row.high, row.low, row.close, row.volume,
            )
            .join(Company, Company.id == row.company_id)
            .where(Company.symbol.in_(group), row.released_at.is_(None), row.note.is_(None))
            .where(row.is_intraday.is_(False))
        )  # fmt: skip
        for row_id, company_id, symbol, currency, rule, provider, last_seen_at, *values in connection.execute(query):
            bar = _bar_of(*values)
            found.append(Undecided(row_id, company_id, symbol, currency, rule, bar, provider, last_seen_at))
    newest: dict[str, datetime] = {}
    for one in found:
        newest[one.symbol] = max(one.last_seen_at, newest.get(one.symbol, one.last_seen_at))
    return [one for one in found if one.last_seen_at == newest[one.symbol]]


def store_note(connection: Connection, row_id: int, *, note: str) -> None:
    """Write down what was said of a bar that still waits."""
    table = QuarantinedBar
    connection.execute(update(table).where(table.id == row_id, table.released_at.is_(None)).values(note=note))


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


def load_open_on(connection: Connection, days: Iterable[date]) -> set[tuple[int, date]]:
    """Companies with a bar of one of these days that is set aside and not released: (company, date)."""
    row = QuarantinedBar
    query = select(row.company_id, row.date).where(row.date.in_(list(days)), row.released_at.is_(None))
    return {(company_id, day) for company_id, day in connection.execute(query)}


def store_findings(
    connection: Connection,
    company_id: int,
    findings: Sequence[Finding],
    *,
    previous_close: int | None,
    provider: str,
    at: datetime,
    is_intraday: bool = False,
) -> None:
    """Keep bars that broke a rule; one that is kept already for the same rule is seen again with its newest values.

    What a person decided stays decided: the same values again open nothing. ``is_intraday``: their session still runs.
    """
    table = QuarantinedBar
    decided = _load_decided(connection, company_id, [finding.bar.date for finding in findings])
    for bar, rule in findings:
        known = next((row_id for row_id, kept in decided.items() if _repeats(kept, bar)), None)
        if known is not None:
            connection.execute(update(table).where(table.id == known).values(last_seen_at=at))
            continue
        values = {name: from_scaled(getattr(bar, name), PRICE_SCALE) for name in _PRICES}
        values_and_time = {**values, "volume": bar.volume, "last_seen_at": at, "is_intraday": is_intraday}
        # What was said of other values says nothing of these.
        connection.execute(
            update(table)
            .where(table.company_id == company_id, table.date == bar.date, table.rule == rule)
            .where(table.released_at.is_(None), table.note.is_not(None), table.close != values["close"])
            .values(note=None)
        )
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


def _load_decided(connection: Connection, company_id: int, days: Sequence[date]) -> dict[int, Bar]:
    """What people accepted or rejected on these days, by id; whichever rule it broke, they looked at the bar."""
    row = QuarantinedBar
    by_a_person = or_(*(row.note.startswith(f"{word} by ") for word in (ACCEPTED, REJECTED)))
    decided: dict[int, Bar] = {}
    for group in in_groups(sorted(set(days))):
        query = select(row.id, row.date, row.open, row.high, row.low, row.close, row.volume).where(
            row.company_id == company_id, row.date.in_(group), row.released_at.is_not(None), by_a_person
        )
        for row_id, day, *values in connection.execute(query):
            decided[row_id] = _bar_of(day, *values)
    return decided


def _bar_of(day: date, *values: Any) -> Bar:
    *decimals, volume = values
    o, h, low, c = (to_scaled(price, PRICE_SCALE) for price in decimals)
    return Bar(day, o, h, low, c, volume)


def _repeats(kept: Bar, bar: Bar) -> bool:
    return kept.date == bar.date and same_bar(kept, bar)


def load_doubtful(connection: Connection, row_id: int) -> Doubtful | None:
    """One bar set aside, by its number."""
    row = QuarantinedBar
    query = (
        select(
            row.company_id, Company.symbol, Company.mic, row.date, row.open, row.high, row.low, row.close, row.volume,
            row.provider, row.last_seen_at, row.is_intraday, row.released_at, row.note,
        )
        .join(Company, Company.id == row.company_id)
        .where(row.id == row_id)
    )  # fmt: skip
    found = connection.execute(query).one_or_none()
    if found is None:
        return None
    company_id, symbol, mic, *values, provider, last_seen_at, is_intraday, released_at, note = found
    bar, is_open = _bar_of(*values), released_at is None
    return Doubtful(company_id, symbol, mic, bar, provider, last_seen_at, bool(is_intraday), is_open, note)


def store_decision(connection: Connection, row_id: int, *, note: str, at: datetime) -> bool:
    """Release one bar with what was decided; False when it is released already (another person may have been first)."""
    table = QuarantinedBar
    changed = connection.execute(
        update(table).where(table.id == row_id, table.released_at.is_(None)).values(released_at=at, note=note)
    )
    return changed.rowcount == 1


def store_accepted(connection: Connection, doubtful: Doubtful) -> bool:
    """Store a bar that a person accepted, settled and flagged; False when another process changed the stored one.

    A stored bar with other values leaves a revision; one that a person set by hand stays.
    """
    company_id, bar, provider = doubtful.company_id, doubtful.bar, doubtful.provider
    seen_at = raw_instant(connection, doubtful.last_seen_at)
    prices.store_new(
        connection,
        prices.new_rows(
            company_id, [bar], settled_to=bar.date, provider=provider, fetched_at=seen_at, flags={bar.date: ACCEPTED}
        ),
    )
    # The bar that is there now: this one, or one that was stored before.
    held = prices.load_bars(connection, {company_id: bar.date})[company_id][bar.date]
    if held.provider == MANUAL:
        return False
    if held.bar != bar:
        changes = MergedBars([], [(held, bar)], [], 0)
        at = doubtful.last_seen_at
        if not prices.store_changes(connection, company_id, changes, settled_to=bar.date, provider=provider, at=at):
            return False
    table = PriceHistory
    connection.execute(
        update(table)
        .where(table.company_id == company_id, table.date == bar.date)
        .values(is_settled=True, flag=ACCEPTED)
    )
    summaries.touch(connection, [(company_id, bar.date)])
    prices.remove_filled_gaps(connection, [(company_id, bar.date)])
    return True


def release(
    connection: Connection,
    company_id: int,
    days: Sequence[date],
    *,
    at: datetime,
    note: str = "a later answer was stored",
) -> None:
    """Release what was set aside on days that have a good bar now."""
    table = QuarantinedBar
    connection.execute(
        update(table)
        .where(table.company_id == company_id, table.date.in_(days), table.released_at.is_(None))
        .values(released_at=at, note=note)
    )
