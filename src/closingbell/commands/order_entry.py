"""``closingbell orders``: orders by hand."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, DateType, format_option, print_json, print_rows, upper
from closingbell.domain.money import plain
from closingbell.domain.orders import OrderDraft
from closingbell.jobs.context import current_context
from closingbell.stores.orders import StoredOrder
from closingbell.usecases.orders import delete_order, enter_order, list_orders


class Number(click.ParamType[Decimal]):
    """An exact number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)


by_option = click.option("--by", default=getpass.getuser, help="Who does this.", show_default="you")


@click.group("orders")
def orders() -> None:
    """Enter, delete and list orders; files come in by `import`."""


@orders.command("add", cls=Command)
@click.argument("account")
@click.argument("type_", metavar="TYPE", callback=upper)
@click.option("--date", "day", type=DateType(), required=True, help="Trade date at the exchange, YYYY-MM-DD.")
@click.option("--symbol", callback=upper, help="The company it is about.")
@click.option("--quantity", type=Number(), help="Shares, above zero.")
@click.option("--price", type=Number(), help="Price of a share.")
@click.option("--amount", type=Number(), help="Cash moved; gross of a dividend; exact total of a trade.")
@click.option("--fee", type=Number(), default="0", help="Fee.")
@click.option("--tax", type=Number(), default="0", help="Tax kept back or paid.")
@click.option("--currency", callback=upper, default="USD", show_default=True, help="Currency of all these.")
@click.option("--for", "counter", type=(Number(), str), help="What a CONVERSION gives: --for 921.30 EUR")
@click.option("--note", help="Anything to remember.")
@click.option("--key", help="Makes the order repeatable: the same key is entered once.")
@click.option("--allow-short", is_flag=True, help="More may be sold than is held.")
@by_option
@format_option
@with_appcontext
def add(
    account: str, type_: str, day: date, counter: tuple[Decimal, str] | None, key: str | None, allow_short: bool,
    by: str, format_: str, **facts: Any,
) -> None:  # fmt: skip
    """Enter one order of ACCOUNT and book it. TYPE is BUY, SELL, DEPOSIT, WITHDRAWAL, TRANSFER_IN, TRANSFER_OUT,
    DIVIDEND, CAPITAL_GAIN, CAPITAL_RETURN, INTEREST, FEE, TAX, CONVERSION or COST_CHANGE.
    """
    draft = OrderDraft(
        type=type_,
        trade_date=day,
        counter_amount=counter[0] if counter else None,
        counter_currency=counter[1].upper() if counter else None,
        **facts,
    )
    entered = enter_order(current_context(), draft, account=account, by=by, key=key, allow_short=allow_short)
    for remark in entered.remarks:
        click.echo(f"note: {remark}", err=True)
    if format_ == "json":
        print_json(entered.order)
    else:
        click.echo(f"order {entered.order.id} entered: {_in_words(entered.order)}")


@orders.command("delete", cls=Command)
@click.argument("number", type=int)
@click.option("--allow-short", is_flag=True, help="More may be sold than is held then.")
@by_option
@with_appcontext
def delete(number: int, allow_short: bool, by: str) -> None:
    """Take an order back: it stays on record, and what it booked is reversed."""
    order = delete_order(current_context(), number, by=by, allow_short=allow_short)
    click.echo(f"order {order.id} deleted: {_in_words(order)}")


@orders.command("list", cls=Command)
@click.option("--account", help="Only those of this account.")
@click.option("--symbol", callback=upper, help="Only those of this company.")
@click.option("--deleted", "with_deleted", is_flag=True, help="Also those that were deleted.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, newest first.")
@format_option
@with_appcontext
def list_(account: str | None, symbol: str | None, with_deleted: bool, limit: int, format_: str) -> None:
    """Show orders, the newest trade first."""
    found = list_orders(current_context(), account=account, symbol=symbol, limit=limit, with_deleted=with_deleted)
    columns: dict[str, Callable[[StoredOrder], str]] = {
        "order": lambda order: str(order.id),
        "account": lambda order: order.account,
        "date": lambda order: str(order.trade_date),
        "type": lambda order: order.type,
        "symbol": lambda order: order.symbol or "",
        "quantity": lambda order: _shown(order.quantity),
        "price": lambda order: _shown(order.price),
        "amount": lambda order: _shown(order.amount),
        "fee": lambda order: _shown(order.fee),
        "tax": lambda order: _shown(order.tax),
        "currency": lambda order: order.currency,
        "source": lambda order: order.source + (" (deleted)" if order.deleted_at else ""),
    }
    print_rows(found, format_, columns=columns, empty="no orders")


def _shown(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _in_words(order: StoredOrder) -> str:
    shares = f" {plain(order.quantity)}" if order.quantity is not None else ""
    money = f" {plain(order.amount)}" if order.amount is not None else f" at {_shown(order.price)}"
    return f"{order.trade_date} {order.type}{shares} {order.symbol or ''}".rstrip() + f"{money} {order.currency}"
