"""Sessions that the calendar does not know to be closed: a person closes them, or takes that back."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import Connection

from closingbell import calendars
from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import load_session_list
from closingbell.stores import job_log, sessions
from closingbell.stores.marks import claim_origin
from closingbell.stores.sessions import Closure
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name, checked_reason
from closingbell.utils.text import listed


def add_closure(context: JobContext, mic: str, day: date, *, reason: str, by: By) -> Closure | None:
    """Close a session; the closure that was there already, or None when this one is new."""
    words = checked_reason(reason, ask="say why the exchange is closed, for those who look later")
    _require_session(context, mic, day)
    closure = Closure(mic, day, words, checked_name(by), context.clock.now())

    def unit(connection: Connection) -> Closure | None:
        known = _close(connection, closure)
        if known is None:
            write_down(context, connection, by, "close session", f"{mic} {day}", words)
        return known

    return context.database.write_unit(unit)


def remove_closure(context: JobContext, mic: str, day: date, *, by: By) -> bool:
    """Open a closed session again; False when it was not closed."""
    _require_session(context, mic, day)
    # Closing overwrote what is special about the session; only the calendar still knows it.
    special = {times.date: words for times, words in calendars.fetch_sessions(mic, day, day)}.get(day)

    def unit(connection: Connection) -> bool:
        if not _reopen(context, connection, mic, day, special):
            return False
        write_down(context, connection, by, "reopen session", f"{mic} {day}")
        return True

    return context.database.write_unit(unit)


def list_closures(context: JobContext, mic: str | None = None) -> list[Closure]:
    """What people closed, of one MIC or of all."""
    if mic is not None:
        _require_mic(mic)
    with context.database.read() as connection:
        return sessions.load_closures(connection, mic)


def _require_mic(mic: str) -> None:
    known = sorted(set(calendars.SUFFIX_MICS.values()))
    if mic not in known:
        raise UsageError(f"{mic}: no exchange of that code is known here; there are {listed(known, limit=100)}")


def _require_session(context: JobContext, mic: str, day: date) -> None:
    """Write the sessions around ``day`` down where they are not yet; raise UsageError when it is none of them."""
    _require_mic(mic)
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    now = context.clock.now()
    # Days beyond the calendar's end are found out below; asking further ahead would write it down each time.
    ahead = min(max(day - now.date(), timedelta(days=7)), timedelta(days=calendars.DAYS_AHEAD))
    load_session_list(context, mic, day, now=now, ahead=ahead)
    with context.database.read() as connection:
        known, found = sessions.load_range(connection, mic), sessions.is_open(connection, mic, day)
    if found is not None:
        return
    if known is not None and day > known[1]:
        raise UsageError(f"{day}: the sessions of {mic} are known up to {known[1]}; ask again later")
    raise UsageError(f"{day}: {mic} has no session on this date")


def _close(connection: Connection, new: Closure) -> Closure | None:
    assert new.reason is not None and new.closed_by is not None and new.closed_at is not None
    if sessions.store_closed(connection, new.mic, new.date, reason=new.reason, by=new.closed_by, now=new.closed_at):
        return None
    return next((known for known in sessions.load_closures(connection, new.mic) if known.date == new.date), None)


def _reopen(context: JobContext, connection: Connection, mic: str, day: date, special: str | None) -> bool:
    """Reopen unless a run goes on: it took the session for closed, and would count over it again at its end."""
    if not sessions.store_reopened(connection, mic, day, reason=special):
        return False
    wall = context.wall.now()
    active = [run for run in job_log.load_active(connection) if job_log.why_orphaned(run, wall) is None]
    if active:
        run = active[0]
        raise UsageError(f"run {run.id} of {run.job_name} is under way; reopen the session when it has ended")
    return True
