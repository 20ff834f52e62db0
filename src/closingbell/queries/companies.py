"""Companies for the pages: a list that stays short whatever the number, and what is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, false, func, or_, select

from closingbell.domain.days import NO_BARS, DaySet
from closingbell.domain.planning import SessionList
from closingbell.models import Company, MinuteBar, PriceGap, PriceRevision, PriceSummary, QuarantinedBar
from closingbell.stores import companies, sessions, summaries
from closingbell.stores.companies import SHADOW
from closingbell.stores.database import Database
from closingbell.stores.upsert import table_of

# What a session of a company is, from the best to the worst; a day without a session has no state.
STATES = ("stored", "provisional", "gap", "quarantined", "missing")

_COMPANY, _SUMMARY = table_of(Company).c, table_of(PriceSummary).c


@dataclass(frozen=True, slots=True)
class CompanyLine:
    """A company in a list, with its newest close as traded; ``is_provisional`` while that may still move."""

    symbol: str
    name: str | None
    mic: str
    currency: str | None
    newest_date: date | None
    newest_close: Decimal | None
    is_provisional: bool
    closed_on: date | None
    closed_reason: str | None


@dataclass(frozen=True, slots=True)
class DayState:
    """One session of a company: one of STATES, with the reason of a gap."""

    date: date
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """A stored close that a later answer changed."""

    date: date
    old_close: Decimal
    new_close: Decimal
    old_volume: int
    new_volume: int
    old_provider: str
    new_provider: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class MinuteView:
    """One minute's bar as it was traded."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


def list_companies(database: Database, *, contains: str = "", after: str = "", limit: int = 100) -> list[CompanyLine]:
    """Up to ``limit`` companies after the symbol ``after``, by symbol; ``contains`` looks in symbol and name."""
    query = _lines().where(_COMPANY.symbol > after, ~_COMPANY.symbol.contains(SHADOW))
    if contains:
        # Whatever is typed is looked for as it stands, and in whatever case.
        query = query.where(
            or_(
                _COMPANY.symbol.icontains(contains, autoescape=True),
                _COMPANY.name.icontains(contains, autoescape=True),
            )
        )
    with database.read() as connection:
        return [CompanyLine(*row) for row in connection.execute(query.order_by(_COMPANY.symbol).limit(limit))]


def load_company(database: Database, symbol: str) -> CompanyLine:
    """One company by its symbol, or by one that it had; raise UnknownSymbolError."""
    with database.read() as connection:
        [company_id] = companies.require_known(connection, (symbol,))
        return CompanyLine(*connection.execute(_lines().where(_COMPANY.id == company_id)).one())


def _lines() -> Select[Any]:
    return select(
        _COMPANY.symbol, _COMPANY.name, _COMPANY.mic, _COMPANY.currency, _SUMMARY.date, _SUMMARY.close,
        func.coalesce(~_SUMMARY.is_settled, false()), _COMPANY.closed_on, _COMPANY.closed_reason,
    ).outerjoin(table_of(PriceSummary), _SUMMARY.company_id == _COMPANY.id)  # fmt: skip


def load_day_states(database: Database, symbol: str, *, first: date, now: datetime) -> list[DayState]:
    """Every closed session of a company since ``first`` that is expected of it, or has a bar, ascending.

    Sessions before its first order are only told of where there is a bar. Raise UnknownSymbolError.
    """
    gap = PriceGap
    with database.read() as connection:
        facts = companies.load_known(connection, (symbol,))[symbol]
        since = companies.load_held_since(connection, facts.id) or date.max
        calendar = SessionList(facts.mic, sessions.load_sessions(connection, facts.mic, first=first), now=now)
        stored = summaries.load_days(connection, [facts.id]).get(facts.id, NO_BARS)
        known = select(gap.date, gap.reason).where(gap.company_id == facts.id, gap.date >= first)
        gaps = {row.date: row.reason for row in connection.execute(known)}
        doubted = select(QuarantinedBar.date).where(
            QuarantinedBar.company_id == facts.id, QuarantinedBar.released_at.is_(None)
        )
        doubtful = DaySet.of(connection.scalars(doubted))
    last = min(facts.closed_on or date.max, calendar.newest() or date.min)
    found = []
    for day in calendar.closed:
        if day in stored.closes:
            state = "provisional" if day in stored.provisional else "stored"
        elif not since <= day <= last:
            continue
        elif day in doubtful:
            state = "quarantined"
        else:
            state = "gap" if day in gaps else "missing"
        found.append(DayState(day, state, gaps.get(day) if state == "gap" else None))
    return found


def list_revisions(database: Database, symbol: str, *, limit: int = 20) -> list[Revision]:
    """The newest changes of stored closes of a company, newest first; raise UnknownSymbolError."""
    row = PriceRevision
    query = select(
        row.date, row.old_close, row.new_close, row.old_volume, row.new_volume, row.old_provider, row.new_provider,
        row.new_fetched_at,
    )  # fmt: skip
    with database.read() as connection:
        [company_id] = companies.require_known(connection, (symbol,))
        rows = connection.execute(
            query.where(row.company_id == company_id).order_by(row.date.desc(), row.id.desc()).limit(limit)
        )
        return [Revision(*found) for found in rows]


def load_minutes(database: Database, symbol: str, *, after: datetime, limit: int) -> list[MinuteView]:
    """Up to ``limit`` minute bars that begin after an instant, ascending; raise UnknownSymbolError."""
    row = table_of(MinuteBar).c
    with database.read() as connection:
        [company_id] = companies.require_known(connection, (symbol,))
        query = select(row.at, row.open, row.high, row.low, row.close, row.volume)
        query = query.where(row.company_id == company_id, row.at > after).order_by(row.at).limit(limit)
        return [MinuteView(*found) for found in connection.execute(query)]


def load_newest_minutes(database: Database, symbol: str, *, hours: int = 24) -> list[MinuteView]:
    """The minute bars of the ``hours`` up to the newest one that is stored, ascending; raise UnknownSymbolError."""
    row = table_of(MinuteBar).c
    with database.read() as connection:
        [company_id] = companies.require_known(connection, (symbol,))
        newest = connection.scalar(select(row.at).where(row.company_id == company_id).order_by(row.at.desc()).limit(1))
        if newest is None:
            return []
        query = select(row.at, row.open, row.high, row.low, row.close, row.volume)
        rows = connection.execute(
            query.where(row.company_id == company_id, row.at > newest - timedelta(hours=hours)).order_by(row.at)
        )
        return [MinuteView(*found) for found in rows]
