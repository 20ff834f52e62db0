"""Which sessions should be there and are not: the plan of a daily refresh, as data."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from closingbell.domain.days import NO_BARS, NO_DAYS, DaySet, StoredDays

# How long to wait before a gap that the provider could not fill is asked for again; then never.
GAP_WAITS = tuple(timedelta(days=days) for days in (1, 2, 4, 8, 16, 32, 64, 128))


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
    (date, is settled); ``gaps`` are sessions that the provider cannot fill and that are not to be asked for now.
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


@dataclass(frozen=True, slots=True)
class FetchItem:
    """One request: a company and the sessions wanted of it; the answer always runs from ``first`` to now."""

    company_id: int | None
    symbol: str
    mic: str
    wanted: tuple[date, ...]
    missing_count: int
    is_forced: bool = False

    @property
    def first(self) -> date:
        """The earliest session wanted."""
        return self.wanted[0]

    @property
    def last(self) -> date:
        """The newest session wanted."""
        return self.wanted[-1]

    def in_words(self) -> str:
        """``AAPL  2012-09-04 to 2012-11-30: 60 missing, 1 provisional``."""
        span = f"{self.first} to {self.last}" if self.first != self.last else f"{self.first}"
        provisional = len(self.wanted) - self.missing_count
        parts = [f"{self.missing_count} missing"] if self.missing_count else []
        if provisional:
            parts.append(f"{provisional} {'asked again' if self.is_forced else 'provisional'}")
        return f"{self.symbol}  {span}: {', '.join(parts)}"


def plan_company(
    state: CompanyState, sessions: SessionList, *, on: date | None = None, force: bool = False
) -> FetchItem | None:
    """What to ask for one company, or None when everything that should be there is there.

    ``on`` narrows the plan to one session; ``force`` asks again even for what is settled.
    """
    newest = sessions.newest()
    if newest is None:
        return None
    # As sets of days: thousands of companies times decades of sessions are compared in a moment.
    expected = sessions.closed_days.between(on or state.needed_from, on or newest)
    complete, loose = _complete_days(state, expected), StoredDays.of(state.loose)
    settled = complete | loose.settled | DaySet.of(state.gaps)
    wanted = expected if force else expected - settled
    if not wanted:
        return None
    missing_count = len(wanted - complete - loose.closes)
    return FetchItem(state.company_id, state.symbol, state.mic, tuple(wanted), missing_count, is_forced=force)


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
