"""Corporate actions by how far they are: how many of each state, and those of one, the newest ex-date first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, func, select

from closingbell.domain.payments import EventState
from closingbell.errors import UsageError
from closingbell.models import Company, CorporateActionRow, DividendState
from closingbell.queries.actions import words_of
from closingbell.stores.database import Database
from closingbell.stores.paging import is_after
from closingbell.stores.upsert import table_of

# Not a state: a mark that an action has beside it.
HELD = "HELD"
STATES = (*(state.value for state in EventState), HELD)
_ACTION = table_of(CorporateActionRow).c
_COMPANY = table_of(Company).c
_STATE = table_of(DividendState).c


@dataclass(frozen=True, slots=True)
class EventView:
    """An action as it was looked at last; ``state`` and the pay date in use are None before the first time."""

    id: int
    symbol: str
    words: str
    ex_date: date
    state: str | None
    pay_date: date | None
    pay_date_status: str | None
    is_held: bool
    held_reason: str | None


def count_events(database: Database) -> dict[str, int]:
    """How many actions are in each of STATES."""
    with database.read() as connection:
        counted: Any = connection.execute(select(_STATE.state, func.count()).group_by(_STATE.state))
        found: dict[str, int] = dict(list(counted))
        found[HELD] = connection.scalar(select(func.count()).select_from(CorporateActionRow).where(_is(HELD))) or 0
    return {state: found.get(state, 0) for state in STATES}


def list_events(
    database: Database, state: str, *, symbol: str | None = None, before_id: int | None = None, limit: int
) -> list[EventView]:
    """Up to ``limit`` actions of a state, those after ``before_id`` in the list; raise UsageError for no such state."""
    if state not in STATES:
        raise UsageError(f"there is no state {state!r}: it is one of {', '.join(STATES)}")
    query = (
        select(
            _ACTION.id, _COMPANY.symbol, _ACTION.kind, _ACTION.ex_date, _ACTION.currency, _ACTION.amount,
            _ACTION.numerator, _ACTION.denominator, _ACTION.child_symbol, _STATE.state, _STATE.pay_date,
            _STATE.pay_date_status, _ACTION.is_held, _ACTION.held_reason,
        )
        .select_from(table_of(CorporateActionRow))
        .join(table_of(Company), _COMPANY.id == _ACTION.company_id)
        .outerjoin(table_of(DividendState), _STATE.corporate_action_id == _ACTION.id)
        .where(_is(state))
        .order_by(_ACTION.ex_date.desc(), _ACTION.id.desc())
        .limit(limit)
    )  # fmt: skip
    if symbol:
        query = query.where(_COMPANY.symbol == symbol)
    with database.read() as connection:
        if before_id is not None:
            query = query.where(is_after(connection, (_ACTION.ex_date, _ACTION.id), _ACTION.id, before_id))
        return [_view(row) for row in connection.execute(query)]


def _is(state: str) -> ColumnElement[bool]:
    if state == HELD:
        return _ACTION.is_held.is_(True) & _ACTION.is_cancelled.is_(False)
    return _STATE.state == state


def _view(row: Any) -> EventView:
    return EventView(
        row.id, row.symbol, words_of(row), row.ex_date, row.state, row.pay_date, row.pay_date_status, row.is_held,
        row.held_reason,
    )  # fmt: skip
