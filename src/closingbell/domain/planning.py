"""Which sessions should be there and are not: the plan of a daily refresh, as data."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from closingbell.domain.days import NO_BARS, NO_DAYS, DaySet, StoredDays

# A company that nobody holds is expected to have, and brought up to date for, this many of the newest sessions.
SESSIONS_FOR_UNHELD = 5
# How long to wait before a gap that the provider could not fill is asked for again; then never.
GAP_WAITS = tuple(timedelta(days=days) for days in (1, 2, 4, 8, 16, 32, 64, 128))
# A whole answer is asked for from this long before now: the last month, with its dividends and splits.
REREAD = timedelta(days=31)
# A bar is read again within so many sessions; the daily job itself does it when twice as many have passed.
REREAD_SESSIONS = 5
# In one of so many weeks a company's re-read reaches back to its first order, for dividends and splits alone.
HISTORY_WEEKS = 4
# Where that week was missed it does so when so long has passed, and in its week not when it has just been done.
HISTORY_OVERDUE = timedelta(weeks=5)
_HISTORY_JUST_READ = timedelta(weeks=1)


class SessionTimes(NamedTuple):
    """One session: its date, and when it opens and closes (aware UTC)."""

    date: date
    open_at: datetime
    close_at: datetime


class SessionList:
    """The sessions of one MIC in ascending order, the closed ones apart; ``running`` is the one that is open now."""

    def __init__(self, mic: str, sessions: Sequence[SessionTimes], *, now: datetime) -> None:
        self.mic = mic
        self.dates = [session.date for session in sessions]
        self.close_at = {session.date: session.close_at for session in sessions}
        self.open_at = {session.date: session.open_at for session in sessions}
        self.closed_count = sum(session.close_at <= now for session in sessions)
        self.closed = self.dates[: self.closed_count]
        self.closed_set = frozenset(self.closed)
        self.open_set = frozenset(self.dates[self.closed_count :])
        self.running = next((s.date for s in sessions[self.closed_count :] if s.open_at <= now), None)

    @cached_property
    def closed_days(self) -> DaySet:
        """The closed sessions as a set: many companies are compared with it."""
        return DaySet.of(self.closed)

    def between(self, first: date, last: date) -> list[date]:
        """Closed sessions from ``first`` to ``last``, both included."""
        return self.closed[bisect_left(self.closed, first) : bisect_right(self.closed, last)]

    def has(self, day: date) -> bool:
        """Whether ``day`` is a session, closed or not."""
        return day in self.close_at

    def close_on_or_after(self, day: date) -> datetime | None:
        """The close of the session on ``day``, or of the first one after it."""
        position = bisect_left(self.dates, day)
        return self.close_at[self.dates[position]] if position < len(self.dates) else None

    def newest(self) -> date | None:
        """The last session that has closed."""
        return self.closed[-1] if self.closed else None

    def before(self, day: date) -> date | None:
        """The session before ``day``."""
        position = bisect_left(self.dates, day)
        return self.dates[position - 1] if position else None

    def next_open(self, day: date) -> datetime | None:
        """When the session after ``day`` opens, as far as it is known."""
        position = bisect_right(self.dates, day)
        return self.open_at[self.dates[position]] if position < len(self.dates) else None

    def closed_since(self, moment: datetime) -> int:
        """How many sessions have closed after ``moment``; no more than a month of them are looked at."""
        return sum(self.close_at[day] > moment for day in self.closed[-31:])

    def young_from(self, count: int) -> date:
        """The first of the ``count`` newest closed sessions."""
        return self.closed[-count:][0] if self.closed else date.max

    def last_settled(self, answered_at: datetime) -> date | None:
        """The newest session whose *next* session had closed at ``answered_at``: bars up to it are settled."""
        closed = sum(1 for day in self.closed[-10:] if self.close_at[day] <= answered_at)
        position = len(self.closed) - min(10, len(self.closed)) + closed - 2
        return self.closed[position] if position >= 0 and closed >= 1 else None


@dataclass(frozen=True, slots=True)
class CompanyState:
    """What is held of one company.

    ``needed_from``: the first session that should be there; ``covered_from`` and ``settled_until`` bound the range in
    which every expected session is settled or known as a gap; ``loose`` are the days outside that range that have a bar
    (date, is settled); ``gaps`` are sessions that the provider cannot fill and that are not to be asked for now;
    ``chart_only`` says why no quote can do for the newest session; ``closed_on`` is the last day of a closed company;
    ``first_order`` is the day from which on its dividends and splits matter, None while nobody has ordered it.
    """

    company_id: int | None
    symbol: str
    mic: str
    needed_from: date
    covered_from: date | None = None
    settled_until: date | None = None
    loose: Iterable[tuple[date, bool]] = NO_BARS
    gaps: frozenset[date] = frozenset()
    due_gaps: frozenset[date] = frozenset()
    gap_counts: Mapping[date, int] = field(default_factory=dict)
    chart_only: str | None = None
    closed_on: date | None = None
    first_order: date | None = None

    def holds(self, day: date) -> bool:
        """Whether ``day`` is stored, settled or provisional, or known as a gap."""
        is_complete = day in _complete_days(self, DaySet.of([day]))
        return is_complete or day in self.gaps or day in StoredDays.of(self.loose).closes


@dataclass(frozen=True, slots=True)
class FetchItem:
    """What is wanted of one company; ``by_quote``: its newest session from a request for many companies.

    Otherwise the company has a request of its own, a chart: the answer runs from ``first`` to now. ``since`` is where
    it begins when that is earlier than what is wanted; ``actions_from`` when it begins earlier still, and only the
    dividends and splits of before are looked at. ``note`` says why a chart is needed where a quote would do.
    """

    company_id: int | None
    symbol: str
    mic: str
    wanted: tuple[date, ...]
    missing_count: int
    is_forced: bool = False
    by_quote: bool = False
    since: date | None = None
    note: str | None = None
    actions_from: date | None = None

    @property
    def first(self) -> date:
        """The earliest date whose bar is asked for."""
        return self.since or self.wanted[0]

    @property
    def asked_from(self) -> date:
        """Where the answer begins."""
        return self.first if self.actions_from is None else min(self.actions_from, self.first)

    @property
    def last(self) -> date:
        """The newest session wanted."""
        return self.wanted[-1] if self.wanted else date.min

    def in_words(self) -> str:
        """``AAPL  2012-09-04 to 2012-11-30: 60 missing, 1 provisional``."""
        last = self.wanted[-1] if self.wanted else self.first
        span = f"{self.first} to {last}" if self.first != last else f"{self.first}"
        provisional = len(self.wanted) - self.missing_count
        parts = [f"{self.missing_count} missing"] if self.missing_count else []
        if provisional:
            parts.append(f"{provisional} {'asked again' if self.is_forced else 'provisional'}")
        if self.by_quote:
            parts.append("by quote")
        if not parts or self.asked_from < self.first:
            since = f" since {self.asked_from}" if self.asked_from < self.first else ""
            parts.append(f"its dividends and splits{since}")
        return f"{self.symbol}  {span}: {', '.join(parts)}"


def plan_company(
    state: CompanyState,
    sessions: SessionList,
    *,
    on: date | None = None,
    first: date | None = None,
    last: date | None = None,
    force: bool = False,
    by_quote: bool = False,
) -> FetchItem | None:
    """What to ask for one company, or None when everything that should be there is there.

    ``on`` narrows the plan to one session, ``first`` and ``last`` to a range, which may begin before anything is
    needed; ``force`` asks again even for what is settled. With ``by_quote`` the newest session comes from a quote where
    that can do, and what is provisional is left to the next re-read.
    """
    newest = sessions.newest()
    if newest is None:
        return None
    if by_quote and on is None and first is None and last is None and not force:
        return _plan_by_quote(state, sessions, newest)
    # As sets of days: thousands of companies times decades of sessions are compared in a moment.
    ends_at = newest if state.closed_on is None else min(newest, state.closed_on)
    expected = sessions.closed_days.between(on or first or state.needed_from, on or last or ends_at)
    complete, loose = _complete_days(state, expected), StoredDays.of(state.loose)
    settled = complete | loose.settled | DaySet.of(state.gaps)
    wanted = expected if force else expected - settled
    return _item(state, wanted, missing_count=len(wanted - complete - loose.closes), is_forced=force)


def plan_companies(
    states: Sequence[CompanyState], calendar_of: Mapping[str, SessionList], *, most_healed: int
) -> list[FetchItem]:
    """The daily plan: quotes where they can do, charts where they can't, and gaps that are due asked for again.

    A gap rides on a chart that is asked for anyway. Of the companies that would need one for their gaps alone,
    ``most_healed`` get it, those with the newest gaps first; the others' gaps stay due.
    """
    items: dict[str, FetchItem | None] = {}
    for_gaps_alone: list[CompanyState] = []
    for state in states:
        sessions = calendar_of[state.mic]
        spared = replace(state, gaps=state.gaps | state.due_gaps, due_gaps=frozenset()) if state.due_gaps else state
        item = plan_company(spared, sessions, by_quote=True)
        if state.due_gaps and item is not None and not item.by_quote:
            item = plan_company(state, sessions, by_quote=True)
        elif state.due_gaps:
            for_gaps_alone.append(state)
        items[state.symbol] = item
    for_gaps_alone.sort(key=lambda state: max(state.due_gaps), reverse=True)
    for state in for_gaps_alone[:most_healed]:
        items[state.symbol] = plan_company(state, calendar_of[state.mic], by_quote=True)
    return [item for item in items.values() if item is not None]


def _plan_by_quote(state: CompanyState, sessions: SessionList, newest: date) -> FetchItem | None:
    """A quote for the newest session if nothing else is missing; a chart for everything open if there is more."""
    missing, provisional = _open_days(state, sessions, newest)
    latest = DaySet.of([newest])
    if missing - latest or _is_overdue(provisional, sessions):
        return _item(state, missing | provisional, missing_count=len(missing))
    # While the next session runs, a quote is of that one; a chart then asks only for what is missing.
    is_settling = newest in provisional and sessions.running is None
    if not missing and not is_settling:
        return None
    before = sessions.before(newest)
    if state.chart_only is None and sessions.running is None and before is not None and state.holds(before):
        return _item(state, latest, missing_count=len(missing), by_quote=True)
    reread = plan_reread(state, sessions)
    return reread and replace(reread, note=state.chart_only)


def _open_days(state: CompanyState, sessions: SessionList, newest: date) -> tuple[DaySet, DaySet]:
    """Expected sessions that are missing, and those whose bar may still move."""
    expected = sessions.closed_days.between(state.needed_from, newest)
    loose = StoredDays.of(state.loose)
    outside = expected - _complete_days(state, expected)
    return outside - loose.closes - DaySet.of(state.gaps), outside & loose.provisional


def _is_overdue(provisional: DaySet, sessions: SessionList) -> bool:
    """Whether the re-read that settles a bar did not come in twice the time that it has."""
    return bool(provisional) and provisional.first < sessions.young_from(2 * REREAD_SESSIONS)


def plan_reread(state: CompanyState, sessions: SessionList, *, doubted: Iterable[date] = ()) -> FetchItem | None:
    """The last month of one company: everything in it that is not settled, and ``doubted`` sessions that are.

    The newest session is always among what is wanted: an answer without it is short.
    """
    newest = sessions.newest()
    if newest is None:
        return None
    since = max(newest - REREAD, state.needed_from)
    missing, provisional = (days.between(since, newest) for days in _open_days(state, sessions, newest))
    wanted = missing | provisional | DaySet.of([*doubted, newest])
    return _item(state, wanted, missing_count=len(missing), since=min(since, wanted.first))


def plan_actions(state: CompanyState, sessions: SessionList) -> FetchItem | None:
    """The last month's dividends and splits of a company that nobody holds any more; its bars are not wanted."""
    newest = sessions.newest()
    if newest is None:
        return None
    return FetchItem(state.company_id, state.symbol, state.mic, (), 0, since=newest - REREAD)


def is_reread_due(company_id: int, sessions: SessionList, read_at: datetime | None) -> bool:
    """Whether a company is to be read again: it is its weekday, or five sessions have closed since it was read.

    Company numbers are spread over the weekdays; the second rule catches holidays and failures.
    """
    newest = sessions.newest()
    if newest is None or read_at is None:
        return newest is not None
    closed = sessions.closed_since(read_at)
    return closed >= REREAD_SESSIONS or (closed > 0 and company_id % 5 == min(newest.weekday(), 4))


def is_history_due(company_id: int, sessions: SessionList, read_at: datetime | None, *, now: datetime) -> bool:
    """Whether a company's re-read is to reach back to its first order; ``read_at`` is when an answer last did.

    Company numbers are spread over four weeks, as they are over the weekdays of each.
    """
    newest = sessions.newest()
    if newest is None or read_at is None:
        return newest is not None
    age = now - read_at
    week = (newest.toordinal() - 1) // 7
    is_its_week = company_id // 5 % HISTORY_WEEKS == week % HISTORY_WEEKS
    return age >= HISTORY_OVERDUE or (is_its_week and age >= _HISTORY_JUST_READ)


def reread_order(read: Mapping[int, tuple[SessionList, datetime | None]]) -> list[int]:
    """The companies whose turn it is (number -> sessions, when last read), those first that wait longest."""
    due = [number for number, (sessions, read_at) in read.items() if is_reread_due(number, sessions, read_at)]
    longest = datetime.min.replace(tzinfo=UTC)
    return sorted(due, key=lambda number: (read[number][1] or longest, number))


def _item(
    state: CompanyState,
    wanted: DaySet,
    *,
    missing_count: int,
    is_forced: bool = False,
    by_quote: bool = False,
    since: date | None = None,
    note: str | None = None,
) -> FetchItem | None:
    if not wanted:
        return None
    return FetchItem(
        state.company_id, state.symbol, state.mic, tuple(wanted), missing_count, is_forced, by_quote, since, note
    )


def _complete_days(state: CompanyState, expected: DaySet) -> DaySet:
    """The expected sessions in the range known to be complete, without the gaps that are to be asked for again."""
    if state.covered_from is None or state.settled_until is None:
        return NO_DAYS
    return expected.between(state.covered_from, state.settled_until) - DaySet.of(state.due_gaps)


def settled_until(
    sessions: SessionList, covered_from: date, known: Container[date], *, start: date | None = None
) -> date | None:
    """The newest session up to which every session since ``covered_from`` is in ``known``, or None.

    ``start`` is a session up to which that is known already.
    """
    reached = start
    position = bisect_right(sessions.closed, start) if start else bisect_left(sessions.closed, covered_from)
    for day in sessions.closed[position:]:
        if day not in known:
            break
        reached = day
    return reached


def next_ask_at(asked_count: int, *, now: datetime) -> datetime | None:
    """When to ask for an unfillable gap again after it was asked for ``asked_count`` times; None is never."""
    return now + GAP_WAITS[asked_count - 1] if asked_count <= len(GAP_WAITS) else None
