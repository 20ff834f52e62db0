"""How much of what should be there is there: expected sessions of each company against its stored bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, or_, select

from closingbell.domain.bars import INTRADAY
from closingbell.domain.planning import SessionList
from closingbell.errors import UnknownSymbolError, UsageError
from closingbell.models import PriceCoverage, PriceGap, PriceHistory, QuarantinedBar
from closingbell.stores import companies, prices, sessions
from closingbell.stores.companies import CompanyFacts
from closingbell.stores.database import Database
from closingbell.stores.upsert import in_groups

# A company that nobody holds is expected to have these newest sessions, as a refresh of it fetches them.
SESSIONS_FOR_UNHELD = 5
# How many dates are named; all are counted.
NAMED = 10
# Companies whose dates are read at once: ten years of them are some ten megabytes.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class KnownGap:
    """Sessions that the provider has no bar for, for one reason."""

    reason: str
    count: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class CompanyCoverage:
    """One company since ``since``: every expected session is stored, a known gap or missing.

    ``provisional_count`` of the stored ones may still move. Dates are the first ten. ``unexpected_dates`` have a bar
    and no session; ``quarantined_count`` bars wait for a decision.
    """

    symbol: str
    mic: str
    since: date
    expected_count: int
    stored_count: int
    provisional_count: int
    missing_count: int
    missing_dates: tuple[date, ...]
    gap_count: int
    gaps: tuple[KnownGap, ...]
    quarantined_count: int
    unexpected_count: int
    unexpected_dates: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class CoverageTotal:
    """All companies together."""

    company_count: int
    expected_count: int
    stored_count: int
    provisional_count: int
    missing_count: int
    gap_count: int
    quarantined_count: int
    unexpected_count: int


class Complete(NamedTuple):
    """A range in which every session has a settled bar or is a known gap, and how many have a bar."""

    first: date
    last: date
    stored_count: int


class _Chosen(NamedTuple):
    """A company and the first day from which its sessions are expected."""

    facts: CompanyFacts
    since: date


def load_coverage(
    database: Database, *, now: datetime, symbols: tuple[str, ...] | None = None
) -> list[CompanyCoverage]:
    """Every company held, or the chosen ones, by symbol.

    Raise UnknownSymbolError that names unknown symbols, and UsageError with the way out when sessions are not written
    down yet.
    """
    with database.read() as connection:
        chosen = _choose(connection, symbols)
        calendar_of = _load_calendars(connection, chosen, now)
        companies_and_firsts = [
            _Chosen(facts, since or calendar_of[facts.mic].young_from(SESSIONS_FOR_UNHELD)) for facts, since in chosen
        ]
        closed_days = {mic: [one.date for one in sessions.load_closures(connection, mic)] for mic in calendar_of}
        return [
            covered
            for group in in_groups(companies_and_firsts)
            for covered in _cover_group(connection, group, calendar_of, closed_days)
        ]


def total_of(covered: Sequence[CompanyCoverage]) -> CoverageTotal:
    """The sums over all companies."""
    names = CoverageTotal.__slots__[1:]
    return CoverageTotal(len(covered), *(sum(getattr(one, name) for one in covered) for name in names))


def _choose(connection: Connection, symbols: tuple[str, ...] | None) -> list[tuple[CompanyFacts, date | None]]:
    """Companies with the day since which they are held; None for one that nobody holds."""
    held = companies.load_held(connection)
    if symbols is None:
        return list(held)
    known = companies.load_by_symbol(connection, symbols)
    unknown = sorted(set(symbols) - set(known))
    if unknown:
        raise UnknownSymbolError(f"no company of that symbol is known here: {', '.join(unknown)}")
    since = {company.id: first for company, first in held}
    return [(known[symbol], since.get(known[symbol].id)) for symbol in sorted(set(symbols))]


def _load_calendars(
    connection: Connection, chosen: Sequence[tuple[CompanyFacts, date | None]], now: datetime
) -> dict[str, SessionList]:
    """The sessions of each MIC from its first needed day on."""
    # As many days as surely hold the newest sessions, whatever holidays lie in them.
    recent = now.date() - timedelta(days=21)
    firsts: dict[str, date] = {}
    for facts, since in chosen:
        firsts[facts.mic] = min(since or recent, firsts.get(facts.mic, recent))
    for mic, first in firsts.items():
        _require_sessions(connection, mic, first, now)
    return {
        mic: SessionList(mic, sessions.load_sessions(connection, mic, first=first), now=now)
        for mic, first in firsts.items()
    }


def _require_sessions(connection: Connection, mic: str, first: date, now: datetime) -> None:
    known = sessions.load_range(connection, mic)
    if known is not None and known[0] <= first and now.date() <= known[1]:
        return
    there = "not written down yet" if known is None else f"written down from {known[0]} to {known[1]}"
    raise UsageError(
        f"the sessions of {mic} are {there}, and {first} to {now.date()} are needed; "
        "run once: closingbell run-daily-price-update"
    )


def _cover_group(
    connection: Connection,
    group: Sequence[_Chosen],
    calendar_of: Mapping[str, SessionList],
    closed_days: Mapping[str, Sequence[date]],
) -> Iterator[CompanyCoverage]:
    """The coverage of some hundred companies; complete ranges are counted, other bars are read."""
    ids = [company.facts.id for company in group]
    gaps, quarantined = _load_gaps(connection, ids), _count_quarantined(connection, ids)
    ranges = _usable_ranges(connection, group, calendar_of)
    on_closed = _load_on_closed_days(connection, group, closed_days)
    complete = _count_complete(connection, group, calendar_of, ranges, on_closed, gaps)
    outside = _load_outside(connection, group, complete)
    # Part by part: reading all dates of companies without a complete range at once would take much memory.
    for part in in_groups(group, _AT_ONCE):
        every = prices.load_loose(connection, [c.facts.id for c in part if c.facts.id not in complete], {})
        for facts, since in part:
            bars = [*on_closed.get(facts.id, ()), *outside.get(facts.id, ()), *every.get(facts.id, ())]
            yield cover(
                facts,
                since,
                calendar_of[facts.mic],
                complete=complete.get(facts.id),
                bars=bars,
                gaps=gaps.get(facts.id, {}),
                quarantined_count=quarantined.get(facts.id, 0),
            )


def _usable_ranges(
    connection: Connection, group: Sequence[_Chosen], calendar_of: Mapping[str, SessionList]
) -> dict[int, tuple[date, date]]:
    """Complete ranges that lie between the first expected session and the newest one."""
    ranges = prices.load_coverage(connection, [company.facts.id for company in group])
    usable = {}
    for facts, since in group:
        newest, found = calendar_of[facts.mic].newest(), ranges.get(facts.id)
        if found is not None and newest is not None and since <= found[0] <= found[1] <= newest:
            usable[facts.id] = found
    return usable


def _count_complete(
    connection: Connection,
    group: Sequence[_Chosen],
    calendar_of: Mapping[str, SessionList],
    ranges: Mapping[int, tuple[date, date]],
    on_closed: Mapping[int, Sequence[tuple[date, bool]]],
    gaps: Mapping[int, Mapping[date, str]],
) -> dict[int, Complete]:
    """Ranges whose number of settled bars is what it must be; where it is not, the dates are to be read."""
    counts = _count_settled(connection, list(ranges))
    complete = {}
    for facts, _ in group:
        if facts.id not in ranges:
            continue
        first, last = ranges[facts.id]
        expected = calendar_of[facts.mic].between(first, last)
        unexpected = sum(is_settled and first <= day <= last for day, is_settled in on_closed.get(facts.id, ()))
        stored = counts.get(facts.id, 0) - unexpected
        gap_count = sum(day in gaps[facts.id] for day in expected) if facts.id in gaps else 0
        if stored + gap_count == len(expected):
            complete[facts.id] = Complete(first, last, stored)
    return complete


def cover(
    facts: CompanyFacts,
    since: date,
    calendar: SessionList,
    *,
    complete: Complete | None,
    bars: Sequence[tuple[date, bool]],
    gaps: Mapping[date, str],
    quarantined_count: int,
) -> CompanyCoverage:
    """Count one company; ``bars`` (date, is settled) are all outside the complete range, and those on closed days."""
    newest = calendar.newest() or date.min
    days = _outside(calendar, since, newest, complete)
    stored = {day: is_settled for day, is_settled in bars if day >= since}
    missing = [day for day in days if day not in stored and day not in gaps]
    # Gaps in a complete range have no bar: their number is what was left of it.
    known = [day for day in sorted(gaps) if since <= day <= newest and day in calendar.closed_set and day not in stored]
    found = [day for day in days if day in stored]
    unexpected = sorted(day for day in stored if day not in calendar.closed_set)
    return CompanyCoverage(
        symbol=facts.symbol,
        mic=facts.mic,
        since=since,
        expected_count=len(calendar.between(since, newest)),
        stored_count=len(found) + (complete.stored_count if complete else 0),
        provisional_count=sum(not stored[day] for day in found),
        missing_count=len(missing),
        missing_dates=tuple(missing[:NAMED]),
        gap_count=len(known),
        gaps=_by_reason({day: gaps[day] for day in known}),
        quarantined_count=quarantined_count,
        unexpected_count=len(unexpected),
        unexpected_dates=tuple(unexpected[:NAMED]),
    )


def _outside(calendar: SessionList, since: date, newest: date, complete: Complete | None) -> list[date]:
    """Expected sessions before and after the complete range."""
    if complete is None:
        return calendar.between(since, newest)
    day = timedelta(days=1)
    return calendar.between(since, complete.first - day) + calendar.between(complete.last + day, newest)


def _by_reason(gaps: Mapping[date, str]) -> tuple[KnownGap, ...]:
    """Gaps in ascending order, put together by their reason."""
    by_reason: dict[str, list[date]] = {}
    for day, reason in gaps.items():
        by_reason.setdefault(reason, []).append(day)
    return tuple(KnownGap(reason, len(days), days[0], days[-1]) for reason, days in by_reason.items())


# --- What is read.


def _load_gaps(connection: Connection, ids: Sequence[int]) -> dict[int, dict[date, str]]:
    row = PriceGap
    gaps: dict[int, dict[date, str]] = {}
    for company_id, day, reason in connection.execute(
        select(row.company_id, row.date, row.reason).where(row.company_id.in_(ids))
    ):
        gaps.setdefault(company_id, {})[day] = reason
    return gaps


def _count_quarantined(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    row = QuarantinedBar
    query = (
        select(row.company_id, func.count().label("bar_count"))
        .where(row.company_id.in_(ids), row.released_at.is_(None))
        .group_by(row.company_id)
    )
    return {found.company_id: found.bar_count for found in connection.execute(query)}


def _count_settled(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How many settled bars lie in each company's complete range."""
    bar, range_ = PriceHistory, PriceCoverage
    # A count for each company: joined and grouped, SQLite would sort all bars first.
    inside = bar.date.between(range_.covered_from, range_.settled_until)
    count = select(func.count()).where(bar.company_id == range_.company_id, inside, bar.is_settled.is_(True))
    query = select(range_.company_id, count.scalar_subquery().label("bar_count")).where(range_.company_id.in_(ids))
    return {found.company_id: found.bar_count for found in connection.execute(query)}


def _load_outside(
    connection: Connection, group: Sequence[_Chosen], complete: Mapping[int, Complete]
) -> dict[int, list[tuple[date, bool]]]:
    """Bars before and after the complete ranges as they were counted; a run may be moving them just now."""
    bar = PriceHistory
    before: dict[date, list[int]] = {}
    after: dict[date, list[int]] = {}
    for facts, since in group:
        if facts.id in complete:
            after.setdefault(complete[facts.id].last, []).append(facts.id)
            if since < complete[facts.id].first:
                before.setdefault(complete[facts.id].first, []).append(facts.id)
    found: dict[int, list[tuple[date, bool]]] = {}
    for edges, is_after in ((before, False), (after, True)):
        for edge, ids in edges.items():
            side = bar.date > edge if is_after else bar.date < edge
            query = select(bar.company_id, bar.date, bar.is_settled).where(bar.company_id.in_(ids), side, _is_close())
            _collect(found, connection.execute(query))
    return found


def _load_on_closed_days(
    connection: Connection, group: Sequence[_Chosen], closed_days: Mapping[str, Sequence[date]]
) -> dict[int, list[tuple[date, bool]]]:
    """Bars on days that people closed: (date, is settled)."""
    bar = PriceHistory
    found: dict[int, list[tuple[date, bool]]] = {}
    for mic, days in closed_days.items():
        ids = [company.facts.id for company in group if company.facts.mic == mic]
        for part in in_groups(days):
            on_days = (bar.company_id.in_(ids), bar.date.in_(part), _is_close())
            _collect(found, connection.execute(select(bar.company_id, bar.date, bar.is_settled).where(*on_days)))
    return found


def _is_close() -> Any:
    """A bar made while its session ran is none: the session's close is still to be had."""
    return or_(PriceHistory.flag.is_(None), PriceHistory.flag != INTRADAY)


def _collect(into: dict[int, list[tuple[date, bool]]], rows: Any) -> None:
    for company_id, day, is_settled in rows:
        into.setdefault(company_id, []).append((day, bool(is_settled)))
