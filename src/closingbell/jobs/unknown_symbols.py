"""Symbols that no provider knows any more: counted session by session, and closed when it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from closingbell.domain import incidents as messages
from closingbell.domain.runs import Outcome
from closingbell.errors import SymbolUnknownError
from closingbell.jobs.context import JobContext
from closingbell.jobs.price_planning import Plan
from closingbell.jobs.runner import Run
from closingbell.stores import closings, incidents
from closingbell.stores.closings import BY_ITSELF, Unknown
from closingbell.utils.text import listed

# The kind of an item's error by which a symbol is counted: every provider answered, and none knows it.
UNKNOWN = SymbolUnknownError.kind


def note_unknown(context: JobContext, run: Run, plan: Plan) -> list[str]:
    """Count the companies that no provider knew in this run; close those counted often enough; their symbols.

    A session counts once however often it is asked for. An answer of any kind begins the count anew; a provider that
    is down or refuses says nothing.
    """
    limit = context.settings.close_unknown_after_sessions
    items = [item for item in run.items if item.company_id is not None]
    unknown = {item.company_id or 0: item.symbol for item in items if item.error_kind == UNKNOWN}
    answered = [item.company_id or 0 for item in items if item.outcome not in {Outcome.FAILED, Outcome.SKIPPED}]
    newest_of = _newest_sessions(plan)
    with context.database.read() as connection:
        counted = closings.load_unknown(connection, [*unknown, *answered])
    again = [company_id for company_id in answered if company_id in counted]
    fresh = [i for i in unknown if i in newest_of and (i not in counted or counted[i].last_session < newest_of[i])]
    if not (again or fresh):
        return []
    now = context.clock.now()

    def unit(connection: Connection) -> list[str]:
        closings.forget_unknown(connection, again)
        for company_id in sorted(fresh):
            closings.count_unknown(connection, company_id, newest_of[company_id])
        found = closings.load_unknown(connection, fresh)
        often = [one for one in found.values() if limit and one.session_count >= limit]
        for one in often:
            _close(connection, run, one, unknown[one.company_id], now)
        return sorted(unknown[one.company_id] for one in often)

    return context.database.write_unit(unit)


def closed_in_words(symbols: Sequence[str]) -> str:
    """``; closed NOPE, which nobody knows``, or nothing."""
    return f"; closed {listed(symbols)}, which nobody knows" if symbols else ""


def _newest_sessions(plan: Plan) -> dict[int, date]:
    """The newest session of the exchange of each company of the plan."""
    newest = {mic: calendar.newest() for mic, calendar in plan.sessions.items()}
    pairs = ((state.company_id, newest[state.mic]) for state in plan.states.values())
    return {company_id: day for company_id, day in pairs if company_id is not None and day is not None}


def _close(connection: Connection, run: Run, one: Unknown, symbol: str, now: datetime) -> None:
    """Close a company after its newest bar, or before it was first unknown where it has none."""
    last = closings.newest_bar_date(connection, one.company_id) or one.first_session - timedelta(days=1)
    reason = (
        f"no provider knew {symbol} on {one.session_count} sessions, from {one.first_session} to {one.last_session}"
    )
    closings.store_closed(connection, one.company_id, last, reason=reason, by=BY_ITSELF, now=now)
    message = messages.closed_by_itself(symbol, one.company_id, reason=reason, session=one.last_session, run_id=run.id)
    incidents.notify(connection, message, run.id, now=now)
