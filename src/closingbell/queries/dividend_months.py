"""A month of dividends over all accounts: ex-dates and pay dates day by day, with the cash that came or is expected."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select

from closingbell.domain.actions import PAYING
from closingbell.domain.payments import EventState, Leg
from closingbell.models import AnnouncedDividend, Company, CorporateActionRow, DividendPayment, DividendState
from closingbell.queries.actions import words_of
from closingbell.queries.dividend_calendar import LOOK_BACK, load_expected
from closingbell.queries.portfolio import Amount
from closingbell.stores.database import Database
from closingbell.stores.upsert import in_groups, table_of

EX_DATE = "ex-date"
PAY_DATE = "pay date"
# A pay date comes before its ex-date only where that was deferred, and not by more.
_DEFERRED = timedelta(days=60)
_OVER = (EventState.PAID.value, EventState.CORRECTED.value, EventState.CANCELLED.value)
_ACTION = table_of(CorporateActionRow).c
_COMPANY = table_of(Company).c
_STATE = table_of(DividendState).c
_LEG = table_of(DividendPayment).c
_ANNOUNCED = table_of(AnnouncedDividend).c


@dataclass(frozen=True, slots=True)
class DayEvent:
    """An ex-date or a pay date; ``action_id`` is None while a calendar alone has named it.

    ``paid`` and ``expected`` are a pay date's: net cash over all accounts, in the currency of the dividend.
    """

    day: date
    what: str
    symbol: str
    words: str
    action_id: int | None
    pay_date_status: str
    is_held: bool
    paid: tuple[Amount, ...] = ()
    expected: tuple[Amount, ...] = ()


@dataclass(frozen=True, slots=True)
class DividendMonth:
    """A month's events in the order of their days, and the cash of its pay dates by currency."""

    first: date
    events: tuple[DayEvent, ...]
    paid: tuple[Amount, ...]
    expected: tuple[Amount, ...]


def load_month(database: Database, first: date, *, as_of: date) -> DividendMonth:
    """What happens in the month that begins on ``first``, by what was booked and is known on ``as_of``."""
    last = first.replace(day=monthrange(first.year, first.month)[1])
    with database.read() as connection:
        rows = _load_actions(connection, first, last)
        in_month = [row for row in rows if row.kind in PAYING and row.used and first <= row.used <= last]
        paid = _load_paid(connection, [row.id for row in in_month], as_of)
        waiting = sorted({row.company_id for row in in_month if row.state not in _OVER})
        expected = load_expected(connection, waiting, as_of=as_of) if waiting else {}
        events = [*_announced(connection, first, last, as_of)]
    for row in rows:
        if first <= row.ex_date <= last:
            events.append(_event(row, row.ex_date, EX_DATE))
    for row in in_month:
        sums = (_amounts([paid.get(row.id, {})]), _amounts([expected.get(row.id, {})]))
        events.append(_event(row, row.used, PAY_DATE, *sums))
    events.sort(key=lambda one: (one.day, one.what, one.symbol, one.action_id or 0))
    ids = [row.id for row in in_month]
    return DividendMonth(
        first,
        tuple(events),
        _amounts(paid.get(id_, {}) for id_ in ids),
        _amounts(expected.get(id_, {}) for id_ in ids),
    )


def _load_actions(connection: Connection, first: date, last: date) -> Sequence[Any]:
    """The actions with a day in these; ``used`` is the pay date that the books use, else the one that was told."""
    is_looked_at = _STATE.corporate_action_id.is_not(None)
    used = case((is_looked_at, _STATE.pay_date), else_=_ACTION.pay_date)
    status = case((is_looked_at, _STATE.pay_date_status), else_=_ACTION.pay_date_status)
    query = (
        select(
            _ACTION.id, _ACTION.company_id, _COMPANY.symbol, _ACTION.kind, _ACTION.ex_date, _ACTION.currency,
            _ACTION.amount, _ACTION.numerator, _ACTION.denominator, _ACTION.child_symbol, _ACTION.is_held,
            _STATE.state, used.label("used"), status.label("status"),
        )
        .select_from(table_of(CorporateActionRow))
        .join(table_of(Company), _COMPANY.id == _ACTION.company_id)
        .outerjoin(table_of(DividendState), _STATE.corporate_action_id == _ACTION.id)
        .where(_ACTION.ex_date.between(first - LOOK_BACK, last + _DEFERRED), _ACTION.is_cancelled.is_(False))
        .where(or_(_ACTION.ex_date.between(first, last), used.between(first, last)))
    )  # fmt: skip
    return connection.execute(query).all()


def _load_paid(connection: Connection, action_ids: Sequence[int], as_of: date) -> dict[int, dict[str, Decimal]]:
    """What stands as paid by then: action -> currency -> net."""
    found: dict[int, dict[str, Decimal]] = {}
    for group in in_groups(action_ids):
        query = (
            select(_LEG.corporate_action_id, _LEG.currency, func.sum(_LEG.net))
            .where(_LEG.corporate_action_id.in_(group), _LEG.leg == Leg.PAYMENT.value)
            .where(_LEG.is_active == 1, _LEG.value_date <= as_of)
            .group_by(_LEG.corporate_action_id, _LEG.currency)
        )
        for action_id, currency, net in connection.execute(query):
            found.setdefault(action_id, {})[currency] = net
    return found


def _announced(connection: Connection, first: date, last: date, as_of: date) -> Iterable[DayEvent]:
    """What calendars name alone: no action is known of that ex-date yet, and it did not pass."""
    of_company = and_(_ACTION.company_id == _ANNOUNCED.company_id, _ACTION.ex_date == _ANNOUNCED.ex_date)
    known = select(_ACTION.id).where(of_company, _ACTION.kind.in_([kind.value for kind in PAYING])).exists()
    query = (
        select(_COMPANY.symbol, _ANNOUNCED.ex_date, _ANNOUNCED.pay_date)
        .select_from(table_of(AnnouncedDividend))
        .join(table_of(Company), _COMPANY.id == _ANNOUNCED.company_id)
        .where(_ANNOUNCED.ex_date >= as_of, ~known)
        .where(or_(_ANNOUNCED.ex_date.between(first, last), _ANNOUNCED.pay_date.between(first, last)))
    )
    for symbol, ex_date, pay_date in connection.execute(query):
        for day, what in ((ex_date, EX_DATE), (pay_date, PAY_DATE)):
            if day is not None and first <= day <= last:
                yield DayEvent(day, what, symbol, "dividend, its amount is not known yet", None, "CONFIRMED", False)


def _event(
    row: Any, day: date, what: str, paid: tuple[Amount, ...] = (), expected: tuple[Amount, ...] = ()
) -> DayEvent:
    return DayEvent(day, what, row.symbol, words_of(row), row.id, row.status, row.is_held, paid, expected)


def _amounts(found: Iterable[Mapping[str, Decimal]]) -> tuple[Amount, ...]:
    sums: dict[str, Decimal] = {}
    for by_currency in found:
        for currency, amount in by_currency.items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return tuple(Amount(currency, amount) for currency, amount in sorted(sums.items()))
