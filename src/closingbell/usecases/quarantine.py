"""What a person decides on bars set aside: accept, or reject."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from closingbell.domain.bars import MANUAL, Bar
from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import prices, quarantine, sessions
from closingbell.stores.quarantine import ACCEPTED, REJECTED, Doubtful
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name


def accept_bar(context: JobContext, row_id: int, *, by: By, why: str, is_by_run: bool = False) -> Doubtful:
    """Store a bar that was set aside, and release it; raise UsageError when it cannot be or is decided already.

    ``is_by_run``: another provider bears it out, and nobody is to be named in the audit log.
    """
    note, now = _note(ACCEPTED, by, why), context.clock.now()

    def unit(connection: Connection) -> Doubtful:
        found = _accept(connection, row_id, note=note, now=now)
        write_down(context, connection, None if is_by_run else by, "accept quarantined bar", _named(row_id, found), why)
        return found

    return context.database.write_unit(unit)


def reject_bar(context: JobContext, row_id: int, *, by: By, why: str) -> Doubtful:
    """Release a bar without storing it; the same values again open nothing. Raise UsageError when it is decided."""
    note, now = _note(REJECTED, by, why), context.clock.now()

    def unit(connection: Connection) -> Doubtful:
        found = _decide(connection, row_id, note=note, now=now)
        write_down(context, connection, by, "reject quarantined bar", _named(row_id, found), why)
        return found

    return context.database.write_unit(unit)


def _named(row_id: int, found: Doubtful) -> str:
    return f"{row_id} {found.symbol} {found.bar.date}"


def _note(decision: str, by: By, why: str) -> str:
    words = " ".join(why.split())
    if not words:
        raise UsageError("say why, for those who look later")
    return f"{decision} by {checked_name(by)}: {words}"


def _decide(connection: Connection, row_id: int, *, note: str, now: datetime) -> Doubtful:
    """Release a bar with its note; the conditional update lets one of several persons decide."""
    found = quarantine.load_doubtful(connection, row_id)
    if found is None:
        raise UsageError(f"no bar set aside has the number {row_id}; closingbell quarantine list shows them")
    if not found.is_open or not quarantine.store_decision(connection, row_id, note=note, at=now):
        raise UsageError(f"{row_id} is decided already: {found.note or 'a moment ago'}")
    return found


def _accept(connection: Connection, row_id: int, *, note: str, now: datetime) -> Doubtful:
    found = _decide(connection, row_id, note=note, now=now)
    _require_possible(found.bar)
    _require_session(connection, found, now)
    _require_no_manual(connection, found)
    if not quarantine.store_accepted(connection, found):
        raise UsageError(f"{found.symbol} on {found.bar.date} was changed by somebody else just now; look again")
    quarantine.release(connection, found.company_id, [found.bar.date], at=now, note=f"number {row_id} was {note}")
    return found


def _require_possible(bar: Bar) -> None:
    """No market has such values, whatever anybody says."""
    if min(bar.open, bar.high, bar.low, bar.close) <= 0 or bar.volume < 0:
        raise UsageError(f"{bar.date}: a price of zero or less, or a volume below zero, cannot be accepted; reject it")


def _require_session(connection: Connection, found: Doubtful, now: datetime) -> None:
    day = found.bar.date
    known = sessions.load_sessions(connection, found.mic, first=day)
    session = known[0] if known and known[0].date == day else None
    if session is None:
        raise UsageError(
            f"{day}: {found.mic} has no session on this date; reject the bar, or, when the session was closed here, "
            f"first run: closingbell closures remove {found.mic} {day}"
        )
    if session.close_at > now:
        raise UsageError(f"{day}: {found.mic} has not closed yet; decide after the close")
    if found.is_intraday or found.last_seen_at < session.close_at:
        raise UsageError(
            f"{day}: this price is from before the close and cannot be accepted as one; reject it, "
            "and the next run asks for the close"
        )


def _require_no_manual(connection: Connection, found: Doubtful) -> None:
    """What a person set stands until a person takes it back."""
    day = found.bar.date
    held = prices.load_bars(connection, {found.company_id: day}).get(found.company_id, {}).get(day)
    if held is not None and held.provider == MANUAL:
        raise UsageError(
            f"{day}: the price of {found.symbol} was set by hand; "
            f"to accept this one, first run: closingbell unset-price {found.symbol} {day} --why ..."
        )
