"""The sessions in use, for jobs and use cases: written down once from a calendar, then read from the database."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from closingbell import calendars
from closingbell.domain.planning import SessionList
from closingbell.jobs.context import JobContext
from closingbell.stores import sessions

# Calendar days that surely hold the newest sessions by which young bars are judged, whatever holidays lie in them.
DAYS_FOR_UNHELD = 21


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
        _write_down_sessions(context, mic, first, now)
    with context.database.read() as connection:
        return SessionList(mic, sessions.load_sessions(connection, mic, first=first), now=now)


def _write_down_sessions(context: JobContext, mic: str, first: date, now: datetime) -> None:
    last = calendars.default_horizon(now.date())
    # From a month earlier on: neighbours of the first session are asked for sooner or later.
    first = first - timedelta(days=31)
    found = calendars.fetch_sessions(mic, first, last)
    version = calendars.calendar_version()
    context.database.write_unit(
        lambda connection: sessions.store_sessions(
            connection, mic, found, first=first, last=last, version=version, now=now
        )
    )
