"""Payments leg by leg: booked once, reversed once, with their ledger entries in the same transaction.

The unique rows come first: whoever else booked the same leg makes the whole transaction fail before an entry is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, bindparam, cast, func, insert, literal, select, update
from sqlalchemy import type_coerce as coerced

from closingbell.domain.ledger import CASH, REVERSAL
from closingbell.domain.payment_postings import CAPITAL, RULES, PostingRule, group_key, rules_for
from closingbell.domain.payments import BookedLeg, Leg, Reversal
from closingbell.domain.rounding import Rounding
from closingbell.errors import BooksChangedError
from closingbell.models import DividendPayment, LedgerEntry, NumberBlock
from closingbell.stores.bulk import insert_columns, raw_instant
from closingbell.stores.database import Database
from closingbell.stores.upsert import in_groups, table_of, upsert

PAYMENTS = "dividend_payment"

_PAY = table_of(DividendPayment).c
_ENTRY = table_of(LedgerEntry).c
_INT = _PAY.account_id.type
# Field of a leg -> its column.
_LEG_COLUMNS = {name: name for name in BookedLeg._fields} | {"action_id": "corporate_action_id"}
_SCALED = {"quantity", "per_share", "gross", "tax", "net", "tax_rate", "fx_rate", "cash", "price", "quantity_after"}
# As they lie in the table: amounts are computed as scaled integers.
_FIELDS = [coerced(_PAY[column], _INT) if field in _SCALED else _PAY[column] for field, column in _LEG_COLUMNS.items()]
_ENTRY_COLUMNS = (
    "value_date", "group_key", "line", "account_id", "name", "currency", "amount", "kind", "posted_at", "company_id",
    "payment_id",
)  # fmt: skip


def reserve_numbers(database: Database, name: str, count: int) -> int:
    """The first of ``count`` numbers that nobody else gets; what is not used is lost, and missed by nobody."""

    def unit(connection: Connection) -> int:
        row = table_of(NumberBlock).c
        while True:
            free = connection.scalar(select(row.next_number).where(row.name == name))
            if free is None:
                upsert(connection, NumberBlock, [{"name": name, "next_number": 1}])
                continue
            taken = connection.execute(
                update(NumberBlock)
                .where(NumberBlock.name == name, NumberBlock.next_number == free)
                .values(next_number=free + count)
            )
            if taken.rowcount == 1:
                return int(free)

    return database.write_unit(unit)


def store_bookings(
    connection: Connection,
    legs: Sequence[tuple[int, BookedLeg]],
    *,
    first_number: int,
    now: datetime,
    run_id: int | None,
) -> None:
    """Book legs (company, leg) as payments numbered from ``first_number``, with their entries.

    A leg that somebody else booked is an IntegrityError, and nothing of the transaction may stay.
    """
    if not legs:
        return
    columns = _columns(legs, first_number, raw_instant(connection, now), run_id)
    insert_columns(connection, DividendPayment, columns)
    kinds = {(leg.leg, leg.gross < 0, leg.kind == CAPITAL, leg.currency != leg.cash_currency): leg for _, leg in legs}
    rules = sorted({rule for leg in kinds.values() for rule in rules_for(leg)}, key=_in_order)
    numbers = {"first": first_number, "last": first_number + len(legs) - 1, "posted_at": now}
    for rule in rules:
        connection.execute(_posting(rule), numbers)


def store_reversals(
    connection: Connection, reversals: Sequence[Reversal], *, now: datetime, run_id: int | None
) -> None:
    """Take legs back with the exact negative of their entries; raise BooksChangedError if one stands no more."""
    if not reversals:
        return
    table = table_of(DividendPayment)
    statement = (
        update(table)
        .where(_PAY.id == bindparam("b_id"), _PAY.is_active == 1)
        .values(
            is_active=None,
            reversed_by=bindparam("b_run"),
            reversed_at=bindparam("b_at"),
            reversal_date=bindparam("b_date"),
            reversal_reason=bindparam("b_reason"),
        )
    )
    rows = [
        {"b_id": one.booked.id, "b_run": run_id, "b_at": now, "b_date": one.value_date, "b_reason": one.reason}
        for one in reversals
    ]
    if connection.execute(statement, rows).rowcount != len(rows):
        raise BooksChangedError("a payment was reversed by somebody else")
    for keys in in_groups([group_key(one.booked) for one in reversals]):
        connection.execute(_reversal(keys, now))


def load_legs(
    connection: Connection, action_ids: Sequence[int], *, account_ids: tuple[int, int] | None = None
) -> Iterable[tuple[BookedLeg, bool, datetime]]:
    """Every leg ever booked for these actions, whether it stands, and when it was posted."""
    for group in in_groups(action_ids):
        query = select(_PAY.is_active, _PAY.posted_at, *_FIELDS).where(_PAY.corporate_action_id.in_(group))
        if account_ids is not None:
            query = query.where(_PAY.account_id.between(*account_ids))
        for active, posted_at, *values in connection.execute(query):
            yield _leg(values), active is not None, posted_at


def load_numbered(connection: Connection, first: int, count: int) -> list[tuple[BookedLeg, bool]]:
    """Up to ``count`` legs numbered from ``first`` on, in order, and whether each stands."""
    query = select(_PAY.is_active, *_FIELDS).where(_PAY.id >= first).order_by(_PAY.id).limit(count)
    return [(_leg(values), active is not None) for active, *values in connection.execute(query)]


def load_standing_legs(connection: Connection, legs: Iterable[Leg]) -> list[BookedLeg]:
    """Every leg of these kinds that stands, over all accounts and actions."""
    names = sorted(leg.value for leg in legs)
    query = select(*_FIELDS).where(_PAY.leg.in_(names), _PAY.is_active == 1).order_by(_PAY.id)
    return [_leg(values) for values in connection.execute(query)]


def load_cash(connection: Connection) -> list[tuple[int, str, int]]:
    """Cash that standing legs moved themselves, by account and currency, in whole 1e-4; other legs have orders."""
    names = sorted({rule.leg.value for rule in RULES if rule.name == CASH})
    query = select(_PAY.account_id, _PAY.cash_currency, coerced(func.sum(coerced(_PAY.cash, _INT)), _INT))
    query = query.where(_PAY.is_active == 1, _PAY.leg.in_(names)).group_by(_PAY.account_id, _PAY.cash_currency)
    return [(account_id, currency, int(cash)) for account_id, currency, cash in connection.execute(query)]


def find_leg(connection: Connection, payment_id: int) -> tuple[BookedLeg, bool] | None:
    """A leg by its number, and whether it stands."""
    query = select(_PAY.is_active, *_FIELDS).where(_PAY.id == payment_id)
    found = connection.execute(query).one_or_none()
    return None if found is None else (_leg(found[1:]), found[0] is not None)


def find_purchase(connection: Connection, account_id: int, order_id: int) -> BookedLeg | None:
    """The standing DRIP leg of an account that made this order."""
    query = select(*_FIELDS).where(_PAY.account_id == account_id, _PAY.leg == Leg.DRIP.value, _PAY.is_active == 1)
    values = connection.execute(query.where(_PAY.order_id == order_id)).one_or_none()
    return None if values is None else _leg(values)


def _leg(values: Sequence[Any]) -> BookedLeg:
    leg = BookedLeg(*values)
    return leg._replace(leg=_LEGS[leg.leg], rounding=_ROUNDINGS[leg.rounding])


_LEGS: dict[str, Leg] = {leg.value: leg for leg in Leg}
_TEXTS: dict[str, str] = {one: one.value for one in (*Leg, *Rounding)}
_ROUNDINGS: dict[str, Rounding] = {rounding.value: rounding for rounding in Rounding}


def _columns(
    legs: Sequence[tuple[int, BookedLeg]], first_number: int, posted_at: Any, run_id: int | None
) -> dict[str, Sequence[Any]]:
    """Legs as columns of new rows: what is done to a whole column costs little for each of its values."""
    count = len(legs)
    fields = dict(zip(BookedLeg._fields, zip(*(leg for _, leg in legs), strict=True), strict=True))
    columns: dict[str, Sequence[Any]] = {_LEG_COLUMNS[field]: values for field, values in fields.items()}
    for name in ("leg", "rounding"):
        columns[name] = [_TEXTS[value] for value in columns[name]]
    return columns | {
        "id": range(first_number, first_number + count),
        "company_id": [company_id for company_id, _ in legs],
        "is_active": [1] * count,
        "posted_at": [posted_at] * count,
        "job_log_id": [run_id] * count,
    }


def _in_order(rule: PostingRule) -> tuple[int, int]:
    return list(Leg).index(rule.leg), rule.line


@lru_cache(maxsize=64)
def _posting(rule: PostingRule) -> Any:
    """INSERT … SELECT of one line of every leg that was just numbered and that the rule holds for."""
    amount = coerced(_PAY[rule.amount], _INT)
    gross = coerced(_PAY.gross, _INT)
    conditions: list[ColumnElement[bool]] = [
        _PAY.id.between(bindparam("first"), bindparam("last")),
        _PAY.leg == rule.leg.value,
        amount != 0,
    ]
    if rule.is_short is not None:
        conditions.append(gross < 0 if rule.is_short else gross >= 0)
    if rule.is_capital is not None:
        conditions.append(_PAY.kind == CAPITAL if rule.is_capital else _PAY.kind != CAPITAL)
    if rule.is_converted is not None:
        same = _PAY.currency == _PAY.cash_currency
        conditions.append(~same if rule.is_converted else same)
    name: ColumnElement[Any] = literal(rule.name, String(40))
    query = select(
        _PAY.value_date,
        group_key_in_sql(),
        literal(rule.line),
        _PAY.account_id,
        name + _PAY.kind if rule.is_kind_named else name,
        _PAY.cash_currency if rule.in_cash_currency else _PAY.currency,
        amount if rule.sign > 0 else -amount,
        _PAY.leg,
        bindparam("posted_at", type_=_ENTRY.posted_at.type),
        _PAY.company_id,
        _PAY.id,
    ).where(and_(*conditions))
    return insert(LedgerEntry).from_select(_ENTRY_COLUMNS, query.order_by(_PAY.id))


def group_key_in_sql() -> ColumnElement[str]:
    """What ``group_key`` makes of a leg, of a row of ``dividend_payment``."""
    first = literal("d", String(1)) + cast(_PAY.corporate_action_id, String(20)) + literal(":", String(1))
    return (
        first + cast(_PAY.account_id, String(20)) + literal(":", String(1)) + _PAY.leg + cast(_PAY.version, String(6))
    )


def _reversal(group_keys: Sequence[str], now: datetime) -> Any:
    """The exact negative of what payments booked as these groups, on the day that their reversal counts."""
    query = (
        select(
            _PAY.reversal_date,
            _ENTRY.group_key + literal(REVERSAL, String(9)),
            _ENTRY.line,
            _ENTRY.account_id,
            _ENTRY.name,
            _ENTRY.currency,
            -coerced(_ENTRY.amount, _INT),
            _ENTRY.kind,
            literal(now, _ENTRY.posted_at.type),
            _ENTRY.company_id,
            _ENTRY.payment_id,
        )
        .join(table_of(DividendPayment), _PAY.id == _ENTRY.payment_id)
        .where(_ENTRY.group_key.in_(group_keys))
        .order_by(_ENTRY.id)
    )
    return insert(LedgerEntry).from_select(_ENTRY_COLUMNS, query)
