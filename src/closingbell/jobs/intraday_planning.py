"""The plan of an intraday refresh: whose exchange is open, and from which minute on to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from closingbell.domain.bars import YOUNG_SESSIONS
from closingbell.domain.intraday import RECENT, ask_from, session_at, why_closed
from closingbell.domain.market_zones import NEW_YORK, in_new_york
from closingbell.domain.planning import SessionTimes
from closingbell.domain.runs import ItemOutcome, Outcome
from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import DAYS_FOR_UNHELD, load_session_list
from closingbell.stores import companies, minutes, sessions, watching
from closingbell.stores.companies import CompanyFacts, why_over

NOBODY = "no company was traded in the last 24 hours, and none is watched"
NONE_KNOWN = "none of the companies named is known here"
# Over any holidays the next session is known.
_AHEAD = timedelta(days=21)


@dataclass(frozen=True, slots=True)
class IntradayItem:
    """One question: a company, its running session, the minute to ask from, and where its newest bars begin."""

    company: CompanyFacts
    session: SessionTimes
    since: datetime
    bars_from: date

    @property
    def symbol(self) -> str:
        """The company's symbol."""
        return self.company.symbol

    def in_words(self) -> str:
        """``AAPL  minutes from 2012-11-30 11:14 EST``."""
        return f"{self.symbol}  minutes from {in_new_york(self.since)}"


@dataclass(frozen=True, slots=True)
class IntradayPlan:
    """What a run will ask; ``closed`` says of every exchange that does not trade until when.

    ``nobody`` says why no company was to be looked at, where that is so.
    """

    moment: datetime
    items: tuple[IntradayItem, ...]
    skipped: tuple[ItemOutcome, ...]
    closed: tuple[str, ...]
    nobody: str | None

    @property
    def why_nothing(self) -> str:
        """Why no company is asked for."""
        return "; ".join([*([self.nobody] if self.nobody else []), *self.closed])


def plan_intraday(context: JobContext, symbols: Sequence[str] | None, *, moment: datetime) -> IntradayPlan:
    """Decide whom to ask at ``moment``; reads the database, asks nobody outside.

    Companies named by ``symbols`` are asked whether or not somebody trades or watches them.
    """
    chosen, skipped = _choose(context, symbols, moment)
    mics = sorted({company.mic for company in chosen} or {sessions.HOME})
    known = {mic: _sessions_of(context, mic, moment) for mic in mics}
    running = {mic: session for mic in mics if (session := session_at(known[mic], moment)) is not None}
    open_ids = [company.id for company in chosen if company.mic in running]
    with context.database.read() as connection:
        newest = minutes.load_newest(connection, open_ids)
    closed = {mic: why_closed(mic, known[mic], moment) for mic in mics if mic not in running}
    if symbols is not None:
        skipped += [
            _skip(company.symbol, company.id, closed[company.mic]) for company in chosen if company.mic in closed
        ]
    items = []
    for company in chosen:
        if (session := running.get(company.mic)) is not None:
            since = ask_from(newest.get(company.id), session, now=moment)
            items.append(IntradayItem(company, session, since, _bars_from(known[company.mic], session)))
    nobody = None if chosen else NOBODY if symbols is None else NONE_KNOWN
    return IntradayPlan(moment, tuple(items), tuple(skipped), tuple(closed.values()), nobody)


def _choose(
    context: JobContext, symbols: Sequence[str] | None, moment: datetime
) -> tuple[list[CompanyFacts], list[ItemOutcome]]:
    """The companies to look at, by symbol, and what was named but is not known here, or closed."""
    today = moment.astimezone(NEW_YORK).date()
    with context.database.read() as connection:
        if symbols is not None:
            named = companies.load_by_symbol(connection, list(symbols))
            known = {company.id: company for company in named.values()}
            skipped = [
                _skip(s, None, "not known here; watch it first") for s in dict.fromkeys(symbols) if s not in named
            ]
            over = [company for company in known.values() if company.is_over(today)]
            skipped += [_skip(company.symbol, company.id, why_over(company)) for company in over]
            return [company for company in known.values() if not company.is_over(today)], skipped
        # An order of today without a time of day counts as executed at today's close, which is still to come.
        traded = watching.load_traded(connection, after=moment - RECENT, before=moment + RECENT)
        watched = watching.load_watched_facts(connection)
    found = {company.symbol: company for company in (*traded, *watched) if not company.is_over(today)}
    return [found[symbol] for symbol in sorted(found)], []


def _sessions_of(context: JobContext, mic: str, moment: datetime) -> list[SessionTimes]:
    """The sessions around ``moment``, written down first where they are not yet."""
    first = (moment - timedelta(days=DAYS_FOR_UNHELD)).date()
    try:
        load_session_list(context, mic, first, now=moment, ahead=_AHEAD)
    except UsageError:
        # An exchange whose calendar cannot be had counts as closed: its companies never stop the others.
        return []
    with context.database.read() as connection:
        return sessions.load_sessions(connection, mic, first=first)


def _bars_from(known: Sequence[SessionTimes], session: SessionTimes) -> date:
    """The first of the newest sessions before this one: today's close is judged by theirs, not by an older one."""
    before = [one.date for one in known if one.date < session.date]
    return before[-YOUNG_SESSIONS:][0] if before else session.date


def _skip(symbol: str, company_id: int | None, reason: str) -> ItemOutcome:
    return ItemOutcome(symbol, company_id, Outcome.SKIPPED, 0, 0, message=reason)
