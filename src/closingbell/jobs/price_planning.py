"""The plan of a refresh: which companies, which sessions, fewest requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from closingbell import calendars
from closingbell.domain.days import NO_BARS, StoredDays
from closingbell.domain.market_zones import NEW_YORK
from closingbell.domain.planning import (
    SESSIONS_FOR_UNHELD,
    CompanyState,
    FetchItem,
    SessionList,
    is_history_due,
    plan_actions,
    plan_companies,
    plan_company,
    plan_reread,
    reread_order,
)
from closingbell.domain.runs import ItemOutcome, Outcome
from closingbell.errors import ClosedDayError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import DAYS_FOR_UNHELD, load_session_list
from closingbell.stores import action_rows, actions, companies, prices, quarantine
from closingbell.stores.companies import CompanyFacts, why_over
from closingbell.utils.text import counted

# Before that nobody keeps prices, and calendars know little.
EARLIEST = date(1950, 1, 1)
# Dividends of what was sold may still be owed: it is read again for so long after the last trade.
ACTIONS_AFTER_TRADE = timedelta(days=400)
# How many companies one request for quotes names.
QUOTES_PER_REQUEST = 100


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for: symbols (None: every company held), one session (None: all that should be there).

    ``first`` and ``last`` name a range instead, which may begin before a company was held.

    With ``by_quote`` the newest session comes from quotes where they can do.
    """

    symbols: tuple[str, ...] | None = None
    on: date | None = None
    force: bool = False
    by_quote: bool = False
    first: date | None = None
    last: date | None = None

    @property
    def is_dated(self) -> bool:
        """Whether it names dates."""
        return any(day is not None for day in (self.on, self.first, self.last))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will fetch: items, what is held of their companies, and the sessions of their exchanges.

    Items that go ``by_quote`` share requests; each of the others is a request of its own.
    """

    items: tuple[FetchItem, ...]
    skipped: tuple[ItemOutcome, ...]
    states: dict[str, CompanyState]
    companies: dict[str, CompanyFacts]
    sessions: dict[str, SessionList]

    @property
    def quoted(self) -> list[FetchItem]:
        """What quotes may do for."""
        return [item for item in self.items if item.by_quote]

    @property
    def charts(self) -> list[FetchItem]:
        """What is asked for by company."""
        return [item for item in self.items if not item.by_quote]

    def requests_in_words(self) -> str:
        """``3 requests: 1 for 12 quotes, 2 charts``."""
        quotes, charts = -(-len(self.quoted) // QUOTES_PER_REQUEST), len(self.charts)
        if not quotes:
            return counted(charts, "request")
        by_quote = f"{quotes} for {counted(len(self.quoted), 'quote')}"
        return f"{counted(quotes + charts, 'request')}: {by_quote}, {counted(charts, 'chart')}"

    def newest_in_words(self) -> str:
        """The newest closed session over all exchanges of the plan."""
        newest = [day for calendar in self.sessions.values() if (day := calendar.newest())]
        return str(max(newest)) if newest else "now"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A company selected; ``facts`` is None for one not known here, ``held_since`` for one that nobody holds.

    ``first_order`` is known of those that are held, and of those that were sold and are read again.
    """

    symbol: str
    mic: str
    facts: CompanyFacts | None
    held_since: date | None
    first_order: date | None = None


def plan_refresh(context: JobContext, selection: Selection) -> Plan:
    """Decide what to fetch; reads the database, asks nobody outside."""
    now = context.clock.now()
    _refuse_wrong_range(selection, now)
    chosen, over = _apart_closed(_choose(context, selection), selection, now)
    calendar_of = {
        mic: load_session_list(context, mic, first, now=now) for mic, first in _first_dates(chosen, selection, now)
    }
    _refuse_closed_day(selection, calendar_of, now)
    _refuse_empty_range(selection, calendar_of)
    states = _load_states(context, chosen, calendar_of, now)
    items = _items(context, states, calendar_of, selection)
    planned = {item.symbol for item in items}
    is_narrowed = selection.symbols is not None or selection.is_dated
    skipped = [
        _skip(state, selection, calendar_of[state.mic])
        for state in states
        if is_narrowed and state.symbol not in planned
    ]
    return _plan(items, [*over, *skipped], states, chosen, calendar_of)


def plan_sweep(context: JobContext, symbols: tuple[str, ...] | None = None) -> Plan:
    """Decide whose last month is read again: whoever's turn it is, those first that wait longest; or ``symbols``.

    The dividends and splits of some are read back to their first order: it is their week, or one seems to be gone.
    """
    now = context.clock.now()
    selection = Selection(symbols)
    chosen, over = _apart_closed(_choose(context, selection), selection, now)
    with context.database.read() as connection:
        read_at = companies.load_read_at(connection)
        history_read_at = companies.load_actions_read_at(connection)
        doubted = action_rows.load_companies_in_doubt(connection)
        sold = [] if symbols else companies.load_traded_since(connection, (now - ACTIONS_AFTER_TRADE).date())
        first_orders = companies.load_first_orders(connection, [facts.id for facts in sold])
    held = {company.symbol for company in chosen}
    today = now.astimezone(NEW_YORK).date()
    sold = [facts for facts in sold if facts.symbol not in held and not facts.is_over(today)]
    chosen += [_Chosen(facts.symbol, facts.mic, facts, None, first_orders.get(facts.id)) for facts in sold]
    calendar_of = {
        mic: load_session_list(context, mic, first, now=now) for mic, first in _first_dates(chosen, selection, now)
    }
    if symbols is None:
        by_id = {company.facts.id: company for company in chosen if company.facts is not None}
        due = reread_order({key: (calendar_of[one.mic], read_at.get(key)) for key, one in by_id.items()})
        chosen = [by_id[key] for key in due]
    states = _load_states(context, chosen, calendar_of, now)
    sold_symbols = {facts.symbol for facts in sold}
    planned = (
        (plan_actions if state.symbol in sold_symbols else plan_reread)(state, calendar_of[state.mic])
        for state in states
    )
    items = [item for item in planned if item is not None]
    first_order = {state.company_id: state.first_order for state in states}
    items = [
        replace(item, actions_from=first_order[key])
        if (key := item.company_id) is not None
        and (key in doubted or is_history_due(key, calendar_of[item.mic], history_read_at.get(key), now=now))
        else item
        for item in items
    ]
    return _plan(items, over, states, chosen, calendar_of)


def _plan(
    items: Sequence[FetchItem],
    skipped: Sequence[ItemOutcome],
    states: Sequence[CompanyState],
    chosen: Sequence[_Chosen],
    calendar_of: dict[str, SessionList],
) -> Plan:
    return Plan(
        tuple(items),
        tuple(skipped),
        {state.symbol: state for state in states},
        {company.symbol: company.facts for company in chosen if company.facts is not None},
        calendar_of,
    )


def _items(
    context: JobContext, states: Sequence[CompanyState], calendar_of: dict[str, SessionList], selection: Selection
) -> list[FetchItem]:
    if selection.by_quote:
        return plan_companies(states, calendar_of, most_healed=context.settings.price_healing_requests)
    planned = (
        plan_company(
            state,
            calendar_of[state.mic],
            on=selection.on,
            first=selection.first,
            last=selection.last,
            force=selection.force,
        )
        for state in states
    )
    return [item for item in planned if item is not None]


def _choose(context: JobContext, selection: Selection) -> list[_Chosen]:
    with context.database.read() as connection:
        held = {company.symbol: (company, first) for company, first in companies.load_held(connection)}
        if selection.symbols is None:
            return [_Chosen(symbol, company.mic, company, first, first) for symbol, (company, first) in held.items()]
        known = companies.load_by_symbol(connection, selection.symbols)
    chosen = []
    for symbol in dict.fromkeys(selection.symbols):
        facts = known.get(symbol)
        mic = facts.mic if facts else calendars.mic_of(symbol)
        # A former name stands for its company.
        name = facts.symbol if facts else symbol
        held_since = held[name][1] if name in held else None
        chosen.append(_Chosen(name, mic, facts, held_since, held_since))
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
        first = min(first, selection.on or first, selection.first or first)
        firsts[company.mic] = min(first, firsts.get(company.mic, first))
    return list(firsts.items())


def _refuse_wrong_range(selection: Selection, now: datetime) -> None:
    """A range that is none, that is still to come, or that nobody keeps prices of, is a wrong question."""
    first, last, today = selection.first, selection.last, now.date()
    if selection.on is not None and (first or last):
        raise UsageError("name one date or a range, not both")
    if first is not None and last is not None and first > last:
        raise UsageError(f"the range from {first} to {last} ends before it begins")
    if first is not None and first < EARLIEST:
        raise UsageError(f"{first}: prices are kept from {EARLIEST} on")
    if first is not None and first > today:
        raise UsageError(f"{first} is still to come")
    if last is not None and last > today:
        raise UsageError(f"{last} is still to come; without an end, a range goes up to the newest session")


def _refuse_empty_range(selection: Selection, calendar_of: dict[str, SessionList]) -> None:
    """A range without any session on the exchanges of the selection is a wrong question, as a single such date is."""
    if selection.first is None and selection.last is None:
        return
    first, last = selection.first or EARLIEST, selection.last or date.max
    if calendar_of and not any(known.between(first, last) for known in calendar_of.values()):
        span = f"from {first} on" if selection.last is None else f"from {first} to {last}"
        raise ClosedDayError(f"{span} no session has closed on {', '.join(sorted(calendar_of))}")


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
        newest = {day for calendar in calendar_of.values() if (day := calendar.newest())}
        on_ex_date = actions.load_on(connection, newest)
        set_aside = quarantine.load_open_on(connection, newest)
    states = []
    for company in chosen:
        first = company.held_since or calendar_of[company.mic].young_from(SESSIONS_FOR_UNHELD)
        if company.facts is None:
            states.append(CompanyState(None, company.symbol, company.mic, first))
            continue
        key = company.facts.id
        its_newest = (key, calendar_of[company.mic].newest())
        why = _why_chart(company.facts, on_ex_date=its_newest in on_ex_date, is_set_aside=its_newest in set_aside)
        state = _known_state(
            company.facts, first, covered.get(key), loose.get(key, NO_BARS), gaps.get(key, {}), now, why
        )
        states.append(replace(state, first_order=company.first_order))
    return states


def _why_chart(facts: CompanyFacts, *, on_ex_date: bool, is_set_aside: bool) -> str | None:
    """Why no quote can do for the newest session."""
    if facts.currency is None:
        return "nothing is known of the company yet"
    if on_ex_date:
        return "a corporate action falls on this session"
    return "a bar of this session was set aside" if is_set_aside else None


def _known_state(
    facts: CompanyFacts,
    first: date,
    covered: tuple[date, date] | None,
    loose: StoredDays,
    gaps: dict[date, tuple[int, datetime | None]],
    now: datetime,
    chart_only: str | None,
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
        chart_only=chart_only,
        closed_on=facts.closed_on,
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
