"""Entering, deleting and listing orders by hand: the one door for commands, pages and the API.

Files come in through ``import_file``, which says of each line what is wrong with it; both store by the same store,
which books the ledger in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import Connection

from closingbell import calendars
from closingbell.domain.entitlements import FractionPolicy
from closingbell.domain.market_zones import latest_date, latest_trade_date
from closingbell.domain.money import QUANTITY_SCALE, from_scaled, plain, to_scaled
from closingbell.domain.orders import INCOMING, OUTGOING, SHARE_MOVES, OrderDraft, check_date, check_draft
from closingbell.domain.positions import sinks_to
from closingbell.errors import UnknownAccountError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import load_session_list
from closingbell.stores import (
    accounts,
    actions,
    books,
    companies,
    dividend_writing,
    marks,
    orders,
    positions,
    spin_offs,
)
from closingbell.stores.accounts import AccountFacts
from closingbell.stores.companies import CompanyFacts
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name

_LONGEST_KEY = 64
_LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True)
class EnteredOrder:
    """An order that was entered, with what is to be said of it."""

    order: orders.StoredOrder
    remarks: tuple[str, ...] = ()


def enter_order(
    context: JobContext, draft: OrderDraft, *, account: str, by: By, key: str | None = None,
    allow_short: bool = False, source: str = "manual",
) -> EnteredOrder:  # fmt: skip
    """Store one order and book it; raise UsageError with everything that is wrong, and nothing is stored.

    ``key`` makes it repeatable: an order of that key in the account is entered once. Selling more than is held needs
    ``allow_short``.
    """
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    now = context.clock.now()
    problems = [*check_draft(draft, today=latest_date(now)), *_check_texts(draft, key)]
    if problems:
        raise UsageError("; ".join(problems))
    mic = None if draft.symbol is None else _mic_of(context, draft.symbol)
    ahead = list(check_date(draft.trade_date, today=latest_trade_date(mic, now)))
    if ahead:
        raise UsageError("; ".join(ahead))
    executed_at, remarks = _executed_at(context, draft, mic, now)
    source_key = key or uuid4().hex

    def unit(connection: Connection) -> EnteredOrder:
        facts = _account(connection, account)
        if source_key in orders.load_source_keys(connection, facts.id):
            raise UsageError(f"an order with the key {source_key!r} is in account {facts.name} already")
        if draft.symbol is not None and not allow_short:
            _refuse_short(connection, facts, draft.symbol, [draft])
        new = orders.NewOrder(
            type=draft.type,
            symbol=draft.symbol,
            trade_date=draft.trade_date,
            executed_at=executed_at,
            quantity=draft.quantity,
            price=draft.price,
            amount=draft.amount,
            fee=draft.fee,
            tax=draft.tax,
            currency=draft.currency,
            counter_amount=draft.counter_amount,
            counter_currency=draft.counter_currency,
            note=draft.note,
            source=source,
            source_key=source_key,
            entered_by=checked_name(by),
        )
        twins = orders.load_twins(connection, facts.id, new)
        symbols = [] if draft.symbol is None or mic is None else [(draft.symbol, mic)]
        stored = orders.store_orders(connection, facts.name, [new], symbols=symbols, now=now)
        if not stored:
            raise UsageError(f"an order with the key {source_key!r} is in account {facts.name} already")
        found = orders.find_order(connection, stored[0])
        assert found is not None
        write_down(context, connection, by, "enter order", *_told(found))
        said = [*_closed_period(connection, draft), *_after_closing(connection, draft)]
        said += [f"order {twins[0]} says the same; delete one of them if this is a repetition"] if twins else []
        return EnteredOrder(found, (*remarks, *said))

    return context.database.write_unit(unit)


def delete_order(context: JobContext, order_id: int, *, by: By, allow_short: bool = False) -> orders.StoredOrder:
    """Mark an order deleted and reverse what it booked; raise UsageError where that cannot be.

    Of shares that were bought for a dividend the cash stays, and no later run buys again for it.
    """
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    now = context.clock.now()

    def unit(connection: Connection) -> orders.StoredOrder:
        order = orders.find_order(connection, order_id)
        if order is None:
            raise UsageError(f"there is no order {order_id}; closingbell orders list shows them")
        if order.deleted_at is not None:
            raise UsageError(f"order {order_id} was deleted already")
        if order.source in spin_offs.SOURCES:
            raise UsageError(_follows_from_action(order))
        account = _account(connection, order.account)
        if order.symbol is not None and order.type in INCOMING and not allow_short:
            _refuse_short(connection, account, order.symbol, [], without=order)
        if order.source == dividend_writing.SOURCE:
            dividend_writing.take_out_purchase(connection, account.id, order_id, by=checked_name(by), now=now)
        orders.store_deleted(connection, order_id, by=checked_name(by), now=now)
        found = orders.find_order(connection, order_id)
        assert found is not None
        write_down(context, connection, by, "delete order", *_told(found))
        return found

    return context.database.write_unit(unit)


def _told(order: orders.StoredOrder) -> tuple[str, str]:
    """Which order it is, for the audit log."""
    words = [str(order.type), *([order.symbol] if order.symbol else []), str(order.trade_date)]
    return f"{order.id} {order.account}", " ".join(words)


def _follows_from_action(order: orders.StoredOrder) -> str:
    number = spin_offs.action_of(order.source_key)
    if order.source == spin_offs.SCRIP:
        return (
            f"order {order.id} is shares in place of a dividend (corporate action {number}) and goes with its payment; "
            f"to take both back: closingbell actions cancel {number}"
        )
    return (
        f"order {order.id} follows from a spin-off (corporate action {number}) and would be made again; to take it "
        f"back: closingbell actions cancel {number}, or enter the shares of {order.symbol} that came yourself, "
        "as a TRANSFER_IN: yours count then"
    )


def list_orders(
    context: JobContext, *, account: str | None = None, symbol: str | None = None, limit: int | None = None,
    with_deleted: bool = False, before_id: int | None = None,
) -> list[orders.StoredOrder]:  # fmt: skip
    """Orders, the newest trade first; raise UnknownAccountError for an account that is not there.

    ``before_id`` wants those that come after that one in this order.
    """
    marks.require_tables(context.database)
    with context.database.read() as connection:
        if account is not None:
            account = _account(connection, account).name
        return orders.load_orders(
            connection, account=account, symbol=symbol, limit=limit, with_deleted=with_deleted, before_id=before_id
        )


def _account(connection: Connection, name: str) -> AccountFacts:
    facts = accounts.find_account_facts(connection, name.strip())
    if facts is None:
        raise UnknownAccountError(f"no account is called {name.strip()!r}; to make it: closingbell accounts add NAME")
    return facts


def _check_texts(draft: OrderDraft, key: str | None) -> list[str]:
    problems = []
    if key is not None and not 1 <= len(key.strip()) <= _LONGEST_KEY:
        problems.append(f"a key has 1 to {_LONGEST_KEY} characters")
    if draft.note is not None and len(draft.note) > _LONGEST_NOTE:
        problems.append(f"a note has up to {_LONGEST_NOTE} characters")
    return problems


def _mic_of(context: JobContext, symbol: str) -> str:
    with context.database.read() as connection:
        known: CompanyFacts | None = companies.load_by_symbol(connection, [symbol]).get(symbol)
    return calendars.mic_of(symbol) if known is None else known.mic


def _executed_at(
    context: JobContext, draft: OrderDraft, mic: str | None, now: datetime
) -> tuple[datetime, tuple[str, ...]]:
    """When an order counts as executed: as said, at its session's close, or at midnight UTC after its day."""
    remarks: tuple[str, ...] = ()
    close = None
    if mic is not None and draft.type in SHARE_MOVES:
        market = load_session_list(context, mic, draft.trade_date, now=now)
        close = market.close_on_or_after(draft.trade_date)
        if not market.has(draft.trade_date):
            remarks = (f"{mic} was closed on {draft.trade_date}: counted at the next close",)
    if draft.executed_at is not None:
        return draft.executed_at, remarks
    return close or datetime.combine(draft.trade_date + timedelta(days=1), time.min, tzinfo=UTC), remarks


def _closed_period(connection: Connection, draft: OrderDraft) -> list[str]:
    """What is to be said of an order for a day up to which the books are closed."""
    lock_date = books.load_book_settings(connection).lock_date
    if lock_date is None or draft.trade_date > lock_date:
        return []
    return [f"the books are closed up to {lock_date}: it counts in the ledger from today on"]


def _after_closing(connection: Connection, draft: OrderDraft) -> list[str]:
    """What is to be said of a trade after the day on which its company was closed."""
    if draft.symbol is None or draft.type not in SHARE_MOVES:
        return []
    company = companies.load_by_symbol(connection, [draft.symbol])[draft.symbol]
    return [f"{company.symbol}: {companies.why_over(company)}"] if company.is_over(draft.trade_date) else []


def _refuse_short(
    connection: Connection, account: AccountFacts, symbol: str, added: list[OrderDraft],
    without: orders.StoredOrder | None = None,
) -> None:  # fmt: skip
    """Raise UsageError when the position would be below zero on a day on which it was not, or further below it."""
    company = companies.load_by_symbol(connection, [symbol]).get(symbol)
    trades = [] if company is None else positions.load_moves(connection, account.id, company.id)
    splits = {} if company is None else actions.load_splits(connection, [company.id]).get(company.id, {})
    signs = {**dict.fromkeys(INCOMING, 1), **dict.fromkeys(OUTGOING, -1)}
    after = [(move.trade_date, move.quantity) for move in trades if without is None or move.order_id != without.id]
    for draft in added:
        quantity = to_scaled(draft.quantity or Decimal(0), QUANTITY_SCALE)
        after.append((draft.trade_date, signs.get(draft.type, 0) * quantity))
    before = [(move.trade_date, move.quantity) for move in trades]
    policy = FractionPolicy(account.fraction_policy)
    sunk = sinks_to(before, after, splits, policy=policy)
    if sunk is not None:
        lowest, day = sunk
        shares = plain(from_scaled(round(lowest), QUANTITY_SCALE))
        raise UsageError(
            f"account {account.name} would hold {shares} {symbol} at the end of {day}; enter the missing purchases "
            "first (or shares that were there already as TRANSFER_IN), or say --allow-short"
        )
