"""Accounts and what is in them: orders, positions, value, income, payments, and dividends that are coming."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from flask import g
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from closingbell.api.tokens import actor_of
from closingbell.api.v1.asking import ID, NO_NUL, AsOf, Backwards, Ranged, backwards, page
from closingbell.api.v1.schemas import Exact, page_of, schema_of
from closingbell.domain.orders import OrderDraft, OrderType
from closingbell.errors import UnknownAccountError, UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.dividend_calendar import CalendarLine, load_calendar
from closingbell.queries.income import IncomeLine, load_income
from closingbell.queries.own_accounts import list_own_accounts
from closingbell.queries.payments import (
    Explanation,
    PaymentFilter,
    PaymentView,
    explain_payment,
    list_payments,
    unknown_payment,
)
from closingbell.queries.portfolio import PortfolioView, load_portfolios
from closingbell.queries.portfolio_values import ValuePoint, load_values
from closingbell.stores.accounts import AccountFacts
from closingbell.stores.orders import StoredOrder
from closingbell.usecases import orders, people
from closingbell.usecases.accounts import list_accounts
from closingbell.usecases.reasons import Actor

ONE = f"/accounts/<{ID}:account_id>"
# Views that show a person's own token that person's accounts alone.
OWN = frozenset(
    {
        "show_accounts",
        "show_account",
        "show_positions",
        "list_values",
        "list_income",
        "list_dividends",
        "list_paid",
        "show_payment",
        "list_orders",
        "add_order",
        "delete_order",
    }
)


class _Orders(Backwards):
    symbol = fields.String(load_default=None, validate=[validate.Length(max=32), NO_NUL])
    with_deleted = fields.Boolean(load_default=False)


class _Values(Ranged):
    every = fields.String(load_default="month", validate=validate.OneOf(["day", "week", "month"]))


class _Payments(Ranged, Backwards):
    symbol = fields.String(load_default=None, validate=[validate.Length(max=32), NO_NUL])
    with_accruals = fields.Boolean(load_default=False)
    with_reversed = fields.Boolean(load_default=False)


class NewOrder(Schema):
    """An order to be entered; which numbers a type needs is in the documentation of orders."""

    type = fields.String(required=True, validate=validate.OneOf(list(OrderType)))
    trade_date = fields.Date(required=True)
    currency = fields.String(required=True, validate=validate.Regexp(r"[A-Z]{3}\Z"))
    symbol = fields.String(load_default=None, allow_none=True, validate=[validate.Length(max=32), NO_NUL])
    quantity = Exact(load_default=None, allow_none=True)
    price = Exact(load_default=None, allow_none=True)
    amount = Exact(load_default=None, allow_none=True)
    fee = Exact(load_default=Decimal(0))
    tax = Exact(load_default=Decimal(0))
    counter_amount = Exact(load_default=None, allow_none=True)
    counter_currency = fields.String(load_default=None, allow_none=True, validate=validate.Regexp(r"[A-Z]{3}\Z"))
    note = fields.String(load_default=None, allow_none=True, validate=[validate.Length(max=200), NO_NUL])
    key = fields.String(
        load_default=None,
        allow_none=True,
        validate=[validate.Length(1, 64), NO_NUL],
        metadata={"description": "An order of this key is entered once, however often it is sent."},
    )
    allow_short = fields.Boolean(load_default=False, metadata={"description": "Sell more than is held."})


def add_routes(api: Blueprint) -> None:
    """The routes of this module."""

    @api.route("/accounts")
    @api.response(200, page_of(AccountFacts))
    def show_accounts() -> dict[str, Any]:
        """Accounts by name, and how dividends are settled in each."""
        return page(_accounts(), None)

    @api.route(ONE)
    @api.response(200, schema_of(AccountFacts))
    def show_account(account_id: int) -> AccountFacts:
        """One account."""
        return find_account(account_id)

    @api.route(f"{ONE}/positions")
    @api.arguments(AsOf, location="query")
    @api.response(200, schema_of(PortfolioView))
    def show_positions(asked: dict[str, Any], account_id: int) -> PortfolioView:
        """Positions with cost, value and gain, cash, and what is owed, at the end of a day."""
        context = current_context()
        on = asked["as_of"] or context.clock.now().date()
        [found] = load_portfolios(context.database, as_of=on, account=find_account(account_id).name)
        return found

    @api.route(f"{ONE}/values")
    @api.arguments(_Values, location="query")
    @api.response(200, page_of(ValuePoint))
    def list_values(asked: dict[str, Any], account_id: int) -> dict[str, Any]:
        """Value over time; the year before the last day where no first one is named."""
        context = current_context()
        last = min(asked["last"] or date.max, context.clock.now().date())
        first = asked["first"] or _a_year_before(last)
        if (last - first).days > 366 * (100 if asked["every"] == "month" else 5):
            raise UsageError("from: at most 100 years by month, and five by week or day; ask for less at once")
        points = load_values(
            context.database, find_account(account_id).name, first=first, last=last, every=asked["every"]
        )
        return page(points, None)

    @api.route(f"{ONE}/income")
    @api.arguments(Ranged, location="query")
    @api.response(200, page_of(IncomeLine))
    def list_income(asked: dict[str, Any], account_id: int) -> dict[str, Any]:
        """Income by month and company, gross, tax and net, on the day that it was paid."""
        name = find_account(account_id).name
        lines = load_income(
            current_context().database, account=name, first=asked["first"], last=asked["last"], by=("month", "company")
        )
        return page(lines, None)

    @api.route(f"{ONE}/dividends")
    @api.arguments(AsOf, location="query")
    @api.response(200, page_of(CalendarLine))
    def list_dividends(asked: dict[str, Any], account_id: int) -> dict[str, Any]:
        """What is coming: ex-dates and pay dates, with the expected cash."""
        context = current_context()
        on = asked["as_of"] or context.clock.now().date()
        return page(load_calendar(context.database, as_of=on, account=find_account(account_id).name), None)

    @api.route(f"{ONE}/payments")
    @api.arguments(_Payments, location="query")
    @api.response(200, page_of(PaymentView))
    def list_paid(asked: dict[str, Any], account_id: int) -> dict[str, Any]:
        """What was paid for corporate actions, the newest first."""
        wanted = PaymentFilter(
            account=find_account(account_id).name,
            symbol=asked["symbol"].upper() if asked["symbol"] else None,
            first=asked["first"],
            last=asked["last"],
            with_reversed=asked["with_reversed"],
            with_accruals=asked["with_accruals"],
            before_id=asked["before"],
        )
        return backwards(list_payments(current_context().database, wanted, limit=asked["limit"] + 1), asked["limit"])

    @api.route(f"/payments/<{ID}:payment_id>")
    @api.response(200, schema_of(Explanation))
    def show_payment(payment_id: int) -> Explanation:
        """Everything that led to a payment."""
        return find_payment(payment_id)

    @api.route(f"{ONE}/orders")
    @api.arguments(_Orders, location="query")
    @api.response(200, page_of(StoredOrder))
    def list_orders(asked: dict[str, Any], account_id: int) -> dict[str, Any]:
        """Orders, the newest trade first."""
        found = orders.list_orders(
            current_context(),
            account=find_account(account_id).name,
            symbol=asked["symbol"].upper() if asked["symbol"] else None,
            limit=asked["limit"] + 1,
            with_deleted=asked["with_deleted"],
            before_id=asked["before"],
        )
        return backwards(found, asked["limit"])

    @api.route(f"{ONE}/orders", methods=["POST"])
    @api.arguments(NewOrder)
    @api.response(201, schema_of(StoredOrder))
    def add_order(asked: dict[str, Any], account_id: int) -> StoredOrder:
        """Enter an order; everything that is wrong with it is told, and nothing is stored then."""
        key, allow_short = asked.pop("key"), asked.pop("allow_short")
        if asked["symbol"]:
            asked["symbol"] = asked["symbol"].upper()
        entered = orders.enter_order(
            current_context(),
            OrderDraft(**asked),
            account=find_account(account_id).name,
            by=who_asks(),
            key=key,
            allow_short=allow_short,
            source="api",
        )
        return entered.order

    @api.route(f"{ONE}/orders/<{ID}:order_id>", methods=["DELETE"])
    @api.response(200, schema_of(StoredOrder))
    def delete_order(account_id: int, order_id: int) -> StoredOrder:
        """Mark an order deleted, and reverse what it booked."""
        context, name = current_context(), find_account(account_id).name
        known = orders.list_orders(context, account=name, with_deleted=True)
        if not any(one.id == order_id for one in known):
            raise UnknownAccountError(f"account {account_id} has no order {order_id}")
        return orders.delete_order(context, order_id, by=who_asks())


def find_payment(payment_id: int) -> Explanation:
    """A payment to an account that the token shows; raise UnknownPaymentError."""
    found = explain_payment(current_context().database, payment_id)
    if not any(one.name == found.payment.account for one in _accounts()):
        raise unknown_payment(payment_id)
    return found


def who_asks() -> Actor:
    """The program that asks, by its token's name and from its address."""
    return actor_of(g.api_token)


def _accounts() -> list[AccountFacts]:
    """The accounts that the token shows: its owner's, or all of them where it is the operator's."""
    token: people.TokenIdentity = g.api_token
    found = list_accounts(current_context())
    if token.owner is None:
        return found
    own = {one.id for one in list_own_accounts(current_context().database, token.owner.id)}
    return [one for one in found if one.id in own]


def find_account(account_id: int) -> AccountFacts:
    """An account that the token shows; raise UnknownAccountError."""
    found = next((one for one in _accounts() if one.id == account_id), None)
    if found is None:
        raise UnknownAccountError(f"there is no account {account_id}")
    return found


def _a_year_before(day: date) -> date:
    return day.replace(year=day.year - 1, day=1) if day.year > 1 else day
