"""The orders that spin-offs make: a child's shares, and the sale of a fraction; and what decides about them.

So are those of shares that came in place of a dividend.

An order is made, and marked deleted, in the transaction that books its leg, or takes it back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, select, type_coerce, update

from closingbell.domain.bars import INTRADAY
from closingbell.domain.ledger import BookableOrder, gross_of
from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, from_scaled
from closingbell.domain.payments import ORDERED, BookedLeg, Leg, Reversal
from closingbell.domain.positions import Trade, insert_before
from closingbell.domain.spin_offs import OWN_WITHIN, Cost
from closingbell.models import CorporateActionRow, DividendPayment, Order, PriceHistory
from closingbell.stores import companies, dividend_progress, orders, payments
from closingbell.stores.orders import BOOKABLE
from closingbell.stores.positions import CHANGE_COST
from closingbell.stores.upsert import in_groups, table_of, upsert

SOURCE, SCRIP = "spin-off", "scrip"
SOURCES = (SOURCE, SCRIP)
_NOTES = {
    Leg.SPIN_OFF: "shares of a spin-off",
    Leg.FRACTION: "fraction of a share from a spin-off",
    Leg.SCRIP: "shares in place of a dividend",
}
# A child's first close is waited for so long.
_FIRST_CLOSE = timedelta(days=5)
# The day begins here first: shares are there before anybody trades on their day.
_MORNING, _EVENING = time(0, tzinfo=timezone(timedelta(hours=14))), time(21, tzinfo=UTC)
_ORDER, _LEG, _ACTION = table_of(Order).c, table_of(DividendPayment).c, table_of(CorporateActionRow).c
_INT = _LEG.account_id.type


# --- Reading.


def load_costs(connection: Connection, company_id: int) -> dict[int, Cost]:
    """What every account's shares of a company are made of, without what its spin-offs took away."""
    trades: dict[int, list[Trade]] = defaultdict(list)
    currencies: dict[int, dict[str, None]] = defaultdict(dict)
    query = (
        select(*BOOKABLE)
        .where(_ORDER.company_id == company_id, _ORDER.deleted_at.is_(None), _ORDER.type.in_(CHANGE_COST))
        .order_by(_ORDER.account_id, _ORDER.trade_date, _ORDER.executed_at, _ORDER.id)
    )
    for row in connection.execute(query):
        order = BookableOrder(*row)
        trades[order.account_id].append(
            Trade(order.trade_date, order.type, order.quantity or 0, gross_of(order), order.id)
        )
        currencies[order.account_id][order.currency] = None
    returned = (
        select(_LEG.account_id, _ACTION.ex_date, type_coerce(_LEG.gross, _INT))
        .join(table_of(CorporateActionRow), _ACTION.id == _LEG.corporate_action_id)
        .where(_ACTION.company_id == company_id, _LEG.is_active == 1)
        .where(_LEG.leg == Leg.ACCRUAL.value, _LEG.kind == "RETURN_OF_CAPITAL")
        .order_by(_ACTION.ex_date)
    )
    for account_id, day, gross in connection.execute(returned):
        insert_before(trades[account_id], Trade(day, "CAPITAL_RETURN", 0, gross))
    return {account_id: Cost(found, list(currencies[account_id])) for account_id, found in trades.items()}


def load_standing(connection: Connection, order_ids: Iterable[int]) -> dict[int, int]:
    """Those of these orders that are not deleted, with their companies."""
    found: dict[int, int] = {}
    for group in in_groups(sorted(set(order_ids))):
        query = select(_ORDER.id, _ORDER.company_id).where(_ORDER.id.in_(group), _ORDER.deleted_at.is_(None))
        found |= {order_id: company_id for order_id, company_id in connection.execute(query)}  # noqa: C416
    return found


def load_own(connection: Connection, child_id: int, ex_date: date) -> dict[int, list[int]]:
    """A child's shares that people transferred in, or out, around its spin-off, by account."""
    query = (
        select(_ORDER.account_id, _ORDER.type, type_coerce(_ORDER.quantity, _INT))
        .where(_ORDER.company_id == child_id, _ORDER.deleted_at.is_(None), _ORDER.source != SOURCE)
        .where(_ORDER.type.in_(("TRANSFER_IN", "TRANSFER_OUT")))
        .where(_ORDER.trade_date.between(ex_date, ex_date + OWN_WITHIN))
        .order_by(_ORDER.id)
    )
    found: dict[int, list[int]] = defaultdict(list)
    for account_id, type_, quantity in connection.execute(query):
        found[account_id].append(quantity if type_ == "TRANSFER_IN" else -quantity)
    return found


def load_first_close(connection: Connection, child_id: int, ex_date: date, *, last: date) -> int | None:
    """A child's first close as traded, from its spin-off on, and up to ``last``."""
    row = table_of(PriceHistory).c
    query = select(type_coerce(row.close, _INT)).where(row.company_id == child_id)
    # A bar of a session that still runs is no close.
    query = query.where(
        row.date.between(ex_date, min(ex_date + _FIRST_CLOSE, last)), row.flag.is_distinct_from(INTRADAY)
    )
    found: int | None = connection.scalar(query.order_by(row.date).limit(1))
    return found


def find_differences(connection: Connection) -> Iterator[str]:
    """What does not fit between standing legs and the orders that they made, in words."""
    legs = {leg.order_id: leg for leg in payments.load_standing_legs(connection, ORDERED)}
    owners = _load_owners(connection, sorted({leg.action_id for leg in legs.values()}))
    query = select(*BOOKABLE).where(_ORDER.source.in_(SOURCES), _ORDER.deleted_at.is_(None)).order_by(_ORDER.id)
    for row in connection.execute(query):
        order = BookableOrder(*row)
        leg = legs.pop(order.id, None)
        if leg is None:
            yield f"order {order.id} follows from a corporate action, and no payment stands for it"
            continue
        if _facts_of(order) != _facts_made(leg, owners.get(leg.action_id)):
            yield f"order {order.id} is not what payment {leg.id} made of it"
    for leg in legs.values():
        yield f"payment {leg.id} brought or sold shares, and its order is not there"


def _load_owners(connection: Connection, action_ids: Sequence[int]) -> dict[int, int]:
    """The companies whose shares came by these actions: those that were spun off, else the actions' own."""
    rows: list[Any] = []
    for group in in_groups(action_ids):
        query = select(_ACTION.id, _ACTION.company_id, _ACTION.child_symbol).where(_ACTION.id.in_(group))
        rows += connection.execute(query).all()
    known = companies.load_by_symbol(connection, sorted({row.child_symbol for row in rows if row.child_symbol}))
    return {
        row.id: known[row.child_symbol].id if row.child_symbol in known else row.company_id
        for row in rows
        if row.child_symbol is None or row.child_symbol in known
    }


# --- Writing.


def store_orders(
    connection: Connection, legs: Sequence[tuple[int, BookedLeg]], children: dict[int, int], *, now: datetime
) -> list[tuple[int, BookedLeg]]:
    """Make and post the order of each leg (parent, leg), of the child that ``children`` says for its action.

    The legs with their orders' numbers. What the child pays is looked at again.
    """
    if not legs:
        return []
    rows = [_row(children[leg.action_id], leg, now) for _, leg in legs]
    upsert(connection, Order, rows, key=("account_id", "source_key"))
    numbers: dict[tuple[int, str], int] = {}
    for keys in in_groups([_key(leg) for _, leg in legs]):
        found = connection.execute(
            select(_ORDER.account_id, _ORDER.source_key, _ORDER.id).where(_ORDER.source_key.in_(keys))
        )
        numbers |= {(account_id, key): number for account_id, key, number in found}
    orders.post(connection, numbers.values(), now=now, follows_dividend=True)
    _mark(connection, [(children[leg.action_id], leg.due_date) for _, leg in legs], now)
    return [(company_id, leg._replace(order_id=numbers[leg.account_id, _key(leg)])) for company_id, leg in legs]


def take_back(connection: Connection, reversals: Iterable[Reversal], *, by: str, now: datetime) -> None:
    """Mark the orders deleted of legs that are taken back, and reverse what they booked."""
    ids = [one.booked.order_id for one in reversals if one.booked.leg in ORDERED and one.booked.order_id is not None]
    touched: list[tuple[int, date]] = []
    for group in in_groups(sorted(ids)):
        standing = _ORDER.id.in_(group), _ORDER.deleted_at.is_(None)
        rows = connection.execute(select(_ORDER.company_id, _ORDER.trade_date).where(*standing))
        touched += [(company_id, day) for company_id, day in rows if company_id is not None]
        connection.execute(update(table_of(Order)).where(*standing).values(deleted_at=now, deleted_by=by))
        orders.reverse(connection, group, now=now, follows_dividend=True)
    _mark(connection, touched, now)


def _mark(connection: Connection, children: Iterable[tuple[int, date]], now: datetime) -> None:
    dividend_progress.mark(connection, children, reason=dividend_progress.ORDERS_CHANGED, now=now)


def action_of(source_key: str) -> str:
    """The number of the corporate action that an order follows from."""
    return source_key.split(":")[1]


def _key(leg: BookedLeg) -> str:
    part = "f" if leg.leg is Leg.FRACTION else ""
    return f"{_source(leg)}:{leg.action_id}:{leg.account_id}:{part}{leg.version}"


def _source(leg: BookedLeg) -> str:
    return SCRIP if leg.leg is Leg.SCRIP else SOURCE


def _money(leg: BookedLeg) -> tuple[int, str]:
    """The cost that goes along with shares, or the cash that they are bought and sold for; and its currency."""
    return abs(leg.gross if leg.leg is Leg.SPIN_OFF else leg.cash), leg.cash_currency


def _facts_made(leg: BookedLeg, child_id: int | None) -> tuple[Any, ...]:
    type_, quantity = _type_of(leg)
    return leg.account_id, child_id, type_, leg.due_date, quantity, *_money(leg)


def _facts_of(order: BookableOrder) -> tuple[Any, ...]:
    quantity, amount = order.quantity or 0, order.amount or 0
    return order.account_id, order.company_id, order.type, order.trade_date, quantity, amount, order.currency


def _type_of(leg: BookedLeg) -> tuple[str, int]:
    """What the order of a leg is called, and of how many shares it is."""
    if leg.leg is Leg.SCRIP:
        return "BUY", leg.quantity
    is_all = leg.leg is Leg.SPIN_OFF
    quantity = (leg.quantity_after or 0) if is_all else leg.quantity
    comes, goes = ("TRANSFER_IN", "TRANSFER_OUT") if is_all else ("SELL", "BUY")
    return comes if quantity > 0 else goes, abs(quantity)


def _row(child_id: int, leg: BookedLeg, now: datetime) -> dict[str, Any]:
    is_all = leg.leg is Leg.SPIN_OFF
    type_, quantity = _type_of(leg)
    (amount, currency), day = _money(leg), leg.due_date
    has_price = not is_all and leg.price is not None and leg.fx_rate is None
    return {
        "account_id": leg.account_id,
        "company_id": child_id,
        "type": type_,
        "trade_date": day,
        "executed_at": datetime.combine(day, _MORNING if is_all else _EVENING),
        "quantity": from_scaled(quantity, QUANTITY_SCALE),
        "price": from_scaled(leg.price or 0, PRICE_SCALE) if has_price else None,
        "amount": from_scaled(amount, MONEY_SCALE),
        "fee": 0,
        "tax": 0,
        "currency": currency,
        "source": _source(leg),
        "source_key": _key(leg),
        "note": _NOTES[leg.leg],
        "created_at": now,
    }
