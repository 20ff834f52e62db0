"""The sessions in use, for jobs and use cases: written down once from a calendar, then read from the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection

from closingbell import calendars
from closingbell.domain.planning import SessionList, SessionTimes
from closingbell.jobs.context import JobContext
from closingbell.stores import sessions

# Calendar days that surely hold the newest sessions by which young bars are judged, whatever holidays lie in them.
DAYS_FOR_UNHELD = 21
# No holidays are as long; where an exchange really was closed for longer, its calendar is only looked at in vain.
_LONGEST_HOLIDAYS = timedelta(days=14)


def load_session_list(
    context: JobContext, mic: str, first: date, *, now: datetime, ahead: timedelta = timedelta(days=7)
) -> SessionList:
    """The sessions of ``mic`` from ``first`` on, written down first where they are not yet."""
    last = (now + ahead).date()
    # Young bars are judged among the newest sessions, whatever is asked for.
    first = min(first, (now - timedelta(days=DAYS_FOR_UNHELD)).date())
    with context.database.read() as connection:
        known = sessions.load_range(connection, mic)
    if known is None or first < known[0] or last > known[1]:
        _write_down_missing(context, mic, first, now, known)
    found = _load(context, mic, first)
    holes = list(_holes(found))
    if holes:
        for start, end in holes:
            _write_down(context, mic, start, end, now)
        found = _load(context, mic, first)
    return SessionList(mic, found, now=now)


def _load(context: JobContext, mic: str, first: date) -> list[SessionTimes]:
    with context.database.read() as connection:
        return sessions.load_sessions(connection, mic, first=first)


def _holes(found: Sequence[SessionTimes]) -> Iterator[tuple[date, date]]:
    """Neighbours further apart than any holidays: sessions between them may never have been written down."""
    for before, after in pairwise(found):
        if after.date - before.date > _LONGEST_HOLIDAYS:
            yield before.date, after.date


def _write_down_missing(
    context: JobContext, mic: str, first: date, now: datetime, known: tuple[date, date] | None
) -> None:
    """Write sessions down from a month before ``first`` to the horizon, leaving no hole beside what is known."""
    last = calendars.default_horizon(now.date())
    if known is not None:
        first, last = min(first, known[1]), max(last, known[0])
    # From a month earlier on: neighbours of the first session are asked for sooner or later.
    _write_down(context, mic, first - timedelta(days=31), last, now)


def _write_down(context: JobContext, mic: str, first: date, last: date, now: datetime) -> None:
    found = calendars.fetch_sessions(mic, first, last)
    holidays = calendars.fetch_holidays(mic, first, last)
    version = calendars.calendar_version()

    def unit(connection: Connection) -> None:
        sessions.store_sessions(connection, mic, found, first=first, last=last, version=version, now=now)
        sessions.store_holidays(connection, mic, holidays)

    context.database.write_unit(unit)
