"""Payments as a list, and one of them explained: what was declared, what was counted, and every version of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from closingbell.domain.actions import AcceptedAction
from closingbell.domain.entitlements import FractionPolicy, PositionWalk, Split, Trade
from closingbell.domain.ledger import REVERSAL
from closingbell.domain.money import QUANTITY_SCALE, from_scaled
from closingbell.domain.orders import SHARE_MOVES
from closingbell.domain.payment_postings import key_of
from closingbell.errors import UnknownPaymentError
from closingbell.models import (
    Account,
    Company,
    CompanySymbol,
    CorporateActionRow,
    CorporateActionVersion,
    DividendLink,
    DividendPayment,
    DividendState,
    LedgerEntry,
    Order,
)
from closingbell.stores import actions, dividend_facts
from closingbell.stores.database import Database
from closingbell.stores.paging import is_after
from closingbell.stores.upsert import table_of

_PAY = table_of(DividendPayment).c


@dataclass(frozen=True, slots=True)
class PaymentView:
    """One leg of a payment; ``is_active`` is false once it was reversed."""

    id: int
    action_id: int
    symbol: str
    account: str
    leg: str
    kind: str
    ex_date: date
    value_date: date
    quantity: Decimal
    per_share: Decimal
    gross: Decimal
    tax: Decimal
    net: Decimal
    currency: str
    cash: Decimal
    cash_currency: str
    pay_date_status: str
    version: int
    is_active: bool
    posted_at: datetime
    reversal_reason: str | None


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Which payments are wanted; None is any. Without ``with_accruals`` only what moves cash or shares.

    ``before_id`` wants those that come after that one, the newest value date first.
    """

    account: str | None = None
    symbol: str | None = None
    action_id: int | None = None
    run_id: int | None = None
    first: date | None = None
    last: date | None = None
    with_reversed: bool = False
    with_accruals: bool = False
    before_id: int | None = None


@dataclass(frozen=True, slots=True)
class CountedOrder:
    """An order that counts for an ex-date."""

    order_id: int
    trade_date: date
    type: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class AppliedSplit:
    """A split between a counted order and the ex-date, and what it made of the position."""

    ex_date: date
    numerator: int
    denominator: int
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class LegVersion:
    """One version of a leg: what it moved, when it was booked, and when and why it was taken back."""

    payment_id: int
    leg: str
    version: int
    quantity: Decimal
    gross: Decimal
    tax: Decimal
    net: Decimal
    cash: Decimal
    value_date: date
    posted_at: datetime
    action_version: int
    reversed_at: datetime | None
    reversal_date: date | None
    reversal_reason: str | None


@dataclass(frozen=True, slots=True)
class ActionVersion:
    """One version of a corporate action: who changed it, and why."""

    version: int
    source: str
    actor: str
    reason: str
    created_at: datetime
    facts: str


@dataclass(frozen=True, slots=True)
class BookedEntry:
    """A line in the ledger that the payment, or its reversal, made."""

    value_date: date
    name: str
    amount: Decimal
    currency: str
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that led to a payment.

    ``printed`` is what the provider showed, ``factor`` the later splits that it had been divided by. ``ratio`` and
    ``quantity_after`` are a split's or a spin-off's: what it made of the shares, or how many of the child it brought.
    ``state`` and ``pay_date`` are those of the action now; rates, rounding and price are those frozen in the payment.
    """

    payment: PaymentView
    company: str | None
    declared: Decimal | None
    printed: str
    factor: str
    provider: str
    child_symbol: str | None
    ratio: str | None
    parent_basis_pct: Decimal | None
    record_date: date | None
    pay_date: date | None
    pay_date_status: str
    told_pay_date: date | None
    state: str
    is_held: bool
    held_reason: str | None
    is_cancelled: bool
    orders: tuple[CountedOrder, ...]
    splits: tuple[AppliedSplit, ...]
    quantity_now: Decimal
    tax_rate: Decimal
    is_rate_of_action: bool
    rounding: str
    fx_rate: Decimal | None
    fx_date: date | None
    is_fx_of_action: bool
    price: Decimal | None
    quantity_after: Decimal | None
    due_date: date
    run_id: int | None
    order_id: int | None
    versions: tuple[LegVersion, ...]
    action_versions: tuple[ActionVersion, ...]
    entries: tuple[BookedEntry, ...]
    linked_order_id: int | None

    @property
    def was_moved(self) -> bool:
        """Whether it counts later than it should because the books were closed up to its day."""
        return self.payment.value_date != self.due_date


def list_payments(database: Database, wanted: PaymentFilter, *, limit: int | None = None) -> list[PaymentView]:
    """Payments, the newest value date first."""
    query = _views()
    conditions: list[tuple[Any, Any]] = [
        (table_of(Account).c.name, wanted.account),
        (_PAY.corporate_action_id, wanted.action_id),
    ]
    for column, value in conditions:
        if value is not None:
            query = query.where(column == value)
    if wanted.symbol is not None:
        # A former name stands for its company.
        former = select(CompanySymbol.company_id).where(CompanySymbol.symbol == wanted.symbol)
        query = query.where((table_of(Company).c.symbol == wanted.symbol) | _PAY.company_id.in_(former))
    if wanted.run_id is not None:
        query = query.where((_PAY.job_log_id == wanted.run_id) | (_PAY.reversed_by == wanted.run_id))
    if wanted.first is not None:
        query = query.where(_PAY.value_date >= wanted.first)
    if wanted.last is not None:
        query = query.where(_PAY.value_date <= wanted.last)
    if not wanted.with_reversed:
        query = query.where(_PAY.is_active == 1)
    if not wanted.with_accruals:
        query = query.where(_PAY.leg != "ACCRUAL")
    with database.read() as connection:
        if wanted.before_id is not None:
            query = query.where(is_after(connection, (_PAY.value_date, _PAY.id), _PAY.id, wanted.before_id))
        rows = connection.execute(query.order_by(_PAY.value_date.desc(), _PAY.id.desc()).limit(limit))
        return [PaymentView(*row) for row in rows]


def unknown_payment(payment_id: int) -> UnknownPaymentError:
    """What is said of a payment that is not there, or not for whoever asks."""
    return UnknownPaymentError(f"no payment {payment_id} is on record; see: closingbell payments")


def explain_payment(database: Database, payment_id: int) -> Explanation:
    """Everything that led to a payment; raise UnknownPaymentError when there is none of that number."""
    with database.read() as connection:
        found = connection.execute(_views().where(_PAY.id == payment_id)).one_or_none()
        if found is None:
            raise unknown_payment(payment_id)
        view = PaymentView(*found)
        row = connection.execute(select(table_of(DividendPayment)).where(_PAY.id == payment_id)).one()
        action = connection.execute(
            select(table_of(CorporateActionRow)).where(table_of(CorporateActionRow).c.id == view.action_id)
        ).one()
        state = connection.execute(
            select(table_of(DividendState)).where(table_of(DividendState).c.corporate_action_id == view.action_id)
        ).one_or_none()
        name = connection.scalar(select(Company.name).where(Company.id == row.company_id))
        every = actions.load_actions(connection, [row.company_id]).get(row.company_id, [])
        orders, splits, quantity = _counted(connection, row.company_id, row.account_id, action.ex_date, every)
        later = _later_splits(connection, row.company_id, action.ex_date)
        return Explanation(
            payment=view,
            company=name,
            declared=action.amount,
            printed=action.printed,
            factor=f"{later.numerator}/{later.denominator}",
            provider=action.provider,
            child_symbol=action.child_symbol,
            ratio=f"{action.numerator}:{action.denominator or 1}" if action.numerator else None,
            parent_basis_pct=action.parent_basis_pct,
            record_date=action.record_date,
            pay_date=state.pay_date if state else None,
            pay_date_status=state.pay_date_status if state else row.pay_date_status,
            told_pay_date=action.pay_date,
            state=state.state if state else "",
            is_held=action.is_held,
            held_reason=action.held_reason,
            is_cancelled=action.is_cancelled,
            orders=orders,
            splits=splits,
            quantity_now=quantity,
            tax_rate=row.tax_rate,
            is_rate_of_action=row.is_rate_of_action,
            rounding=row.rounding,
            fx_rate=row.fx_rate,
            fx_date=row.fx_date,
            is_fx_of_action=row.is_fx_of_action,
            price=row.price,
            quantity_after=row.quantity_after,
            due_date=row.due_date,
            run_id=row.job_log_id,
            order_id=row.order_id,
            versions=_versions(connection, view.action_id, row.account_id),
            action_versions=_action_versions(connection, view.action_id),
            entries=_entries(connection, row),
            linked_order_id=_linked(connection, view.action_id, row.account_id),
        )


def _views() -> Select[Any]:
    account, company, action = table_of(Account).c, table_of(Company).c, table_of(CorporateActionRow).c
    return (
        select(
            _PAY.id, _PAY.corporate_action_id, company.symbol, account.name, _PAY.leg, _PAY.kind, action.ex_date,
            _PAY.value_date, _PAY.quantity, _PAY.per_share, _PAY.gross, _PAY.tax, _PAY.net, _PAY.currency, _PAY.cash,
            _PAY.cash_currency, _PAY.pay_date_status, _PAY.version, _PAY.is_active.is_not(None), _PAY.posted_at,
            _PAY.reversal_reason,
        )
        .select_from(table_of(DividendPayment))
        .join(table_of(Account), account.id == _PAY.account_id)
        .join(table_of(Company), company.id == _PAY.company_id)
        .join(table_of(CorporateActionRow), action.id == _PAY.corporate_action_id)
    )  # fmt: skip


def _counted(
    connection: Connection, company_id: int, account_id: int, ex_date: date, every: Sequence[AcceptedAction]
) -> tuple[tuple[CountedOrder, ...], tuple[AppliedSplit, ...], Decimal]:
    """The orders before an ex-date, the splits among them, and how many shares that makes by what is known now."""
    row = table_of(Order).c
    query = (
        select(row.id, row.trade_date, row.type, row.quantity)
        .where(row.company_id == company_id, row.account_id == account_id, row.deleted_at.is_(None))
        .where(row.trade_date < ex_date, row.type.in_(SHARE_MOVES))
        .order_by(row.trade_date, row.id)
    )
    orders = tuple(CountedOrder(*found) for found in connection.execute(query))
    policy = connection.scalar(select(Account.fraction_policy).where(Account.id == account_id)) or "KEEP"
    trades: Sequence[Trade] = dividend_facts.load_trades(connection, [company_id])[company_id].get(account_id, [])
    splits = [
        Split(one.ex_date, one.facts.numerator or 1, one.facts.denominator or 1, one.id)
        for one in every
        if one.counts_for_quantities
    ]
    walk = PositionWalk(trades, splits, FractionPolicy(policy))
    quantity = from_scaled(walk.advance(ex_date), QUANTITY_SCALE)
    applied = tuple(
        AppliedSplit(
            step.split.ex_date,
            step.split.numerator,
            step.split.denominator,
            from_scaled(round(step.before), QUANTITY_SCALE),
            from_scaled(round(step.after), QUANTITY_SCALE),
        )
        for step in walk.steps
    )
    return orders, applied, quantity


def _later_splits(connection: Connection, company_id: int, ex_date: date) -> Fraction:
    """By how much a provider divides an amount of that day now."""
    factor = Fraction(1)
    for day, ratio in actions.load_price_splits(connection, [company_id]).get(company_id, {}).items():
        if day > ex_date:
            factor *= ratio
    return factor


def _versions(connection: Connection, action_id: int, account_id: int) -> tuple[LegVersion, ...]:
    query = (
        select(
            _PAY.id, _PAY.leg, _PAY.version, _PAY.quantity, _PAY.gross, _PAY.tax, _PAY.net, _PAY.cash,
            _PAY.value_date, _PAY.posted_at, _PAY.action_version, _PAY.reversed_at, _PAY.reversal_date,
            _PAY.reversal_reason,
        )
        .where(_PAY.corporate_action_id == action_id, _PAY.account_id == account_id)
        .order_by(_PAY.id)
    )  # fmt: skip
    rows: list[Any] = list(connection.execute(query))
    return tuple(LegVersion(*row) for row in rows)


def _action_versions(connection: Connection, action_id: int) -> tuple[ActionVersion, ...]:
    row = table_of(CorporateActionVersion).c
    query = select(row.version, row.source, row.actor, row.reason, row.created_at, row.facts)
    rows = connection.execute(query.where(row.corporate_action_id == action_id).order_by(row.version))
    return tuple(ActionVersion(*found) for found in rows)


def _entries(connection: Connection, payment: Row[Any]) -> tuple[BookedEntry, ...]:
    """What a payment booked, what took that back, and what its order booked."""
    row = table_of(LedgerEntry).c
    key = key_of(payment.corporate_action_id, payment.account_id, payment.leg, payment.version)
    which = row.group_key.in_((key, key + REVERSAL))
    if payment.order_id is not None:
        which = which | (row.order_id == payment.order_id)
    query = select(row.value_date, row.name, row.amount, row.currency, row.posted_at).where(which).order_by(row.id)
    return tuple(BookedEntry(*found) for found in connection.execute(query))


def _linked(connection: Connection, action_id: int, account_id: int) -> int | None:
    row = table_of(DividendLink).c
    query = select(row.order_id).where(row.corporate_action_id == action_id, row.account_id == account_id)
    found: int | None = connection.scalar(query)
    return found
