"""How much of what should be there is there: expected sessions of each company against its stored bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from closingbell.domain.days import NO_BARS, DaySet, StoredDays
from closingbell.domain.planning import SESSIONS_FOR_UNHELD, SessionList
from closingbell.errors import UsageError
from closingbell.models import PriceGap, QuarantinedBar
from closingbell.stores import companies, sessions, summaries
from closingbell.stores.companies import CompanyFacts
from closingbell.stores.database import Database
from closingbell.stores.upsert import in_groups

# How many dates are named; all are counted.
NAMED = 10


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
    and no session, or lie after the company was closed; ``quarantined_count`` bars wait for a decision.
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
    closed_on: date | None = None
    closed_reason: str | None = None


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


class _Chosen(NamedTuple):
    """A company and the first day from which its sessions are expected."""

    facts: CompanyFacts
    since: date


def load_coverage(
    database: Database, *, now: datetime, symbols: tuple[str, ...] | None = None, recount: bool = False
) -> list[CompanyCoverage]:
    """Every company held, or the chosen ones, by symbol.

    ``recount`` reads every bar instead of the summaries that are kept of them.

    Raise UnknownSymbolError that names unknown symbols, and UsageError with the way out when sessions are not written
    down yet.
    """
    with database.read() as connection:
        chosen = _choose(connection, symbols)
        calendar_of = _load_calendars(connection, chosen, now)
        companies_and_firsts = [
            _Chosen(facts, since or calendar_of[facts.mic].young_from(SESSIONS_FOR_UNHELD)) for facts, since in chosen
        ]
        return [
            covered
            for group in in_groups(companies_and_firsts)
            for covered in _cover_group(connection, group, calendar_of, recount=recount)
        ]


def count_incomplete(connection: Connection, company_ids: Sequence[int], *, until: datetime) -> int:
    """How many of these companies are held and miss a session that had closed at ``until``."""
    since = companies.load_held_among(connection, company_ids)
    chosen = [_Chosen(facts, since[facts.id]) for facts in companies.load_by_id(connection, since)]
    calendar_of = _load_calendars(connection, chosen, until, is_sure=False)
    return sum(
        covered.missing_count > 0
        for group in in_groups(chosen)
        for covered in _cover_group(connection, group, calendar_of, recount=False)
    )


def total_of(covered: Sequence[CompanyCoverage]) -> CoverageTotal:
    """The sums over all companies."""
    names = CoverageTotal.__slots__[1:]
    return CoverageTotal(len(covered), *(sum(getattr(one, name) for one in covered) for name in names))


def _choose(connection: Connection, symbols: tuple[str, ...] | None) -> list[tuple[CompanyFacts, date | None]]:
    """Companies with the day since which they are held; None for one that nobody holds."""
    if symbols is None:
        return list(companies.load_held(connection))
    known = companies.load_known(connection, symbols)
    since = companies.load_held_among(connection, [facts.id for facts in known.values()])
    return [(known[symbol], since.get(known[symbol].id)) for symbol in sorted(set(symbols))]


def _load_calendars(
    connection: Connection, chosen: Sequence[tuple[CompanyFacts, date | None]], now: datetime, *, is_sure: bool = True
) -> dict[str, SessionList]:
    """The sessions of each MIC from its first needed day on; ``is_sure``: all of them must be written down."""
    # As many days as surely hold the newest sessions, whatever holidays lie in them.
    recent = now.date() - timedelta(days=21)
    firsts: dict[str, date] = {}
    for facts, since in chosen:
        firsts[facts.mic] = min(since or recent, firsts.get(facts.mic, recent))
    if is_sure:
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
    connection: Connection, group: Sequence[_Chosen], calendar_of: Mapping[str, SessionList], *, recount: bool
) -> Iterator[CompanyCoverage]:
    """The coverage of some hundred companies."""
    ids = [company.facts.id for company in group]
    bars = (summaries.count_days if recount else summaries.load_days)(connection, ids)
    gaps, quarantined = _load_gaps(connection, ids), _count_quarantined(connection, ids)
    for facts, since in group:
        yield cover(
            facts,
            since,
            calendar_of[facts.mic],
            bars=bars.get(facts.id, NO_BARS),
            gaps=gaps.get(facts.id, {}),
            quarantined_count=quarantined.get(facts.id, 0),
        )


def cover(
    facts: CompanyFacts,
    since: date,
    calendar: SessionList,
    *,
    bars: StoredDays,
    gaps: Mapping[date, str],
    quarantined_count: int,
) -> CompanyCoverage:
    """Compare one company's stored days with the sessions that are expected of it."""
    expected = calendar.closed_days.between(since, _last_expected(facts, calendar) or date.min)
    stored = bars.closes.between(since, date.max)
    found, unexpected = expected & stored, stored - expected
    known = [day for day in sorted(gaps) if day in expected and day not in stored] if gaps else []
    missing = expected - stored - DaySet.of(known)
    return CompanyCoverage(
        symbol=facts.symbol,
        mic=facts.mic,
        since=since,
        expected_count=len(expected),
        stored_count=len(found),
        provisional_count=len(found & bars.provisional),
        missing_count=len(missing),
        missing_dates=tuple(islice(missing, NAMED)),
        gap_count=len(known),
        gaps=_by_reason({day: gaps[day] for day in known}),
        quarantined_count=quarantined_count,
        unexpected_count=len(unexpected),
        unexpected_dates=tuple(islice(unexpected, NAMED)),
        closed_on=facts.closed_on,
        closed_reason=facts.closed_reason,
    )


def _last_expected(facts: CompanyFacts, calendar: SessionList) -> date | None:
    """The newest session, or the day after which the company is closed."""
    newest = calendar.newest()
    return newest if newest is None or facts.closed_on is None else min(newest, facts.closed_on)


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
