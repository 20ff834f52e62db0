"""The plan of a refresh: which companies, which sessions, fewest requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from closingbell import calendars
from closingbell.domain.days import NO_BARS, StoredDays
from closingbell.domain.planning import CompanyState, FetchItem, SessionList, plan_company
from closingbell.domain.runs import ItemOutcome, Outcome
from closingbell.domain.schedules import NEW_YORK
from closingbell.errors import ClosedDayError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import DAYS_FOR_UNHELD, load_session_list
from closingbell.stores import companies, prices
from closingbell.stores.companies import CompanyFacts, why_over

# A company that nobody holds is brought up to date for this many sessions.
SESSIONS_FOR_UNHELD = 5


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person asks for: symbols (None: every company held), one session (None: all that should be there)."""

    symbols: tuple[str, ...] | None = None
    on: date | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will fetch: items, what is held of their companies, and the sessions of their exchanges."""

    items: tuple[FetchItem, ...]
    skipped: tuple[ItemOutcome, ...]
    states: dict[str, CompanyState]
    companies: dict[str, CompanyFacts]
    sessions: dict[str, SessionList]

    def newest_in_words(self) -> str:
        """The newest closed session over all exchanges of the plan."""
        newest = [day for calendar in self.sessions.values() if (day := calendar.newest())]
        return str(max(newest)) if newest else "now"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A company selected; ``facts`` is None for one not known here, ``held_since`` for one that nobody holds."""

    symbol: str
    mic: str
    facts: CompanyFacts | None
    held_since: date | None


def plan_refresh(context: JobContext, selection: Selection) -> Plan:
    """Decide what to fetch; reads the database, asks nobody outside."""
    now = context.clock.now()
    chosen, over = _apart_closed(_choose(context, selection), selection, now)
    calendar_of = {
        mic: load_session_list(context, mic, first, now=now) for mic, first in _first_dates(chosen, selection, now)
    }
    _refuse_closed_day(selection, calendar_of, now)
    states = _load_states(context, chosen, calendar_of, now)
    items, skipped = [], []
    for state in states:
        item = plan_company(state, calendar_of[state.mic], on=selection.on, force=selection.force)
        if item is not None:
            items.append(item)
        elif selection.symbols is not None or selection.on is not None:
            skipped.append(_skip(state, selection, calendar_of[state.mic]))
    return Plan(
        tuple(items),
        (*over, *skipped),
        {state.symbol: state for state in states},
        {company.symbol: company.facts for company in chosen if company.facts is not None},
        calendar_of,
    )


def _choose(context: JobContext, selection: Selection) -> list[_Chosen]:
    with context.database.read() as connection:
        held = {company.symbol: (company, first) for company, first in companies.load_held(connection)}
        if selection.symbols is None:
            return [_Chosen(symbol, company.mic, company, first) for symbol, (company, first) in held.items()]
        known = companies.load_by_symbol(connection, selection.symbols)
    chosen = []
    for symbol in dict.fromkeys(selection.symbols):
        facts = known.get(symbol)
        mic = facts.mic if facts else calendars.mic_of(symbol)
        # A former name stands for its company.
        name = facts.symbol if facts else symbol
        chosen.append(_Chosen(name, mic, facts, held[name][1] if name in held else None))
    return list({company.symbol: company for company in chosen}.values())


def _apart_closed(
    chosen: Sequence[_Chosen], selection: Selection, now: datetime
) -> tuple[list[_Chosen], list[ItemOutcome]]:
    """Closed companies are asked for by force alone; those that were named are skipped with their reason."""
    today = now.astimezone(NEW_YORK).date()
    over = [company.facts for company in chosen if company.facts is not None and company.facts.is_over(today)]
    if not over or selection.force:
        return list(chosen), []
    symbols = {facts.symbol for facts in over}
    named = over if selection.symbols is not None else []
    skipped = [ItemOutcome(f.symbol, f.id, Outcome.SKIPPED, 0, 0, message=why_over(f)) for f in named]
    return [company for company in chosen if company.symbol not in symbols], skipped


def _first_dates(chosen: Sequence[_Chosen], selection: Selection, now: datetime) -> list[tuple[str, date]]:
    """From when on the sessions of each MIC are needed."""
    firsts: dict[str, date] = {}
    for company in chosen:
        first = company.held_since or (now - timedelta(days=DAYS_FOR_UNHELD)).date()
        first = min(first, selection.on or first)
        firsts[company.mic] = min(first, firsts.get(company.mic, first))
    return list(firsts.items())


def _refuse_closed_day(selection: Selection, calendar_of: dict[str, SessionList], now: datetime) -> None:
    """A single date on which no exchange of the selection had a session is a wrong question."""
    day = selection.on
    if day is None or not calendar_of:
        return
    closed = [mic for mic, known in calendar_of.items() if day not in known.closed_set]
    if len(closed) < len(calendar_of):
        return
    mics = ", ".join(sorted(closed))
    if all(day in calendar_of[mic].open_set for mic in closed) or day > now.date():
        raise UsageError(f"{day}: {mics} has not closed yet; ask again after the close")
    raise ClosedDayError(f"{day}: {mics} was closed")


def _load_states(
    context: JobContext, chosen: Sequence[_Chosen], calendar_of: dict[str, SessionList], now: datetime
) -> list[CompanyState]:
    """What is held of each chosen company."""
    ids = [company.facts.id for company in chosen if company.facts is not None]
    with context.database.read() as connection:
        covered = prices.load_coverage(connection, ids)
        loose = prices.load_loose(connection, ids, covered)
        gaps = prices.load_gaps(connection, ids)
    states = []
    for company in chosen:
        first = company.held_since or calendar_of[company.mic].young_from(SESSIONS_FOR_UNHELD)
        if company.facts is None:
            states.append(CompanyState(None, company.symbol, company.mic, first))
            continue
        key = company.facts.id
        states.append(
            _known_state(company.facts, first, covered.get(key), loose.get(key, NO_BARS), gaps.get(key, {}), now)
        )
    return states


def _known_state(
    facts: CompanyFacts,
    first: date,
    covered: tuple[date, date] | None,
    loose: StoredDays,
    gaps: dict[date, tuple[int, datetime | None]],
    now: datetime,
) -> CompanyState:
    due = {day for day, (_, next_ask_at) in gaps.items() if next_ask_at is not None and next_ask_at <= now}
    return CompanyState(
        company_id=facts.id,
        symbol=facts.symbol,
        mic=facts.mic,
        needed_from=first,
        covered_from=covered[0] if covered else None,
        settled_until=covered[1] if covered else None,
        loose=loose,
        gaps=frozenset(gaps) - due,
        due_gaps=frozenset(due),
        gap_counts={day: count for day, (count, _) in gaps.items()},
    )


def _skip(state: CompanyState, selection: Selection, calendar: SessionList) -> ItemOutcome:
    """Why a company that was asked for by name needs no request."""
    if selection.on is not None and selection.on not in calendar.closed_set:
        reason = f"{selection.on}: {calendar.mic} was closed"
    elif selection.on is not None and selection.on in state.gaps:
        reason = f"{selection.on}: known to be missing at the source; --force asks again"
    else:
        reason = "complete and settled; --force asks again"
    return ItemOutcome(state.symbol, state.company_id, Outcome.SKIPPED, 0, 0, message=reason)
