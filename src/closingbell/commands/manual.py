"""Prices set by hand, and what people decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import click
from flask.cli import with_appcontext

from closingbell.commands.output import (
    Command,
    DateType,
    NumberType,
    by_option,
    format_option,
    new_york,
    print_rows,
    symbol_argument,
    symbols_option,
    why_option,
)
from closingbell.domain.bars import Bar
from closingbell.domain.money import PRICE_SCALE, plain, price_to_decimal
from closingbell.jobs.context import current_context
from closingbell.queries.decisions import DecisionView, list_decisions
from closingbell.stores.marks import require_tables
from closingbell.usecases.manual_prices import TypedPrice
from closingbell.usecases.manual_prices import set_price as set_by_hand
from closingbell.usecases.manual_prices import unset_price as give_back

_PRICE = NumberType(PRICE_SCALE, name="price")


@click.command("set-price", cls=Command)
@symbol_argument
@click.argument("day", metavar="DATE", type=DateType())
@click.option("--close", type=_PRICE, required=True, help="The close, in the major unit: pounds, not pence.")
@click.option("--open", "opened", type=_PRICE, help="The open; the close unless told.")
@click.option("--high", type=_PRICE, help="The high; the higher of open and close unless told.")
@click.option("--low", type=_PRICE, help="The low; the lower of open and close unless told.")
@click.option("--volume", type=int, help="Shares traded; what is stored unless told.")
@click.option("--force", is_flag=True, help="Store a close that jumps, too.")
@why_option
@by_option
@with_appcontext
def set_price(
    symbol: str,
    day: date,
    close: Decimal,
    opened: Decimal | None,
    high: Decimal | None,
    low: Decimal | None,
    volume: int | None,
    force: bool,
    why: str,
    by: str,
) -> None:
    """Set the bar of a session by hand: from then on no provider changes it. unset-price takes it back."""
    typed = TypedPrice(close, opened, high, low, volume)
    done = set_by_hand(current_context(), symbol, day, typed, by=by, why=why, force=force)
    assert done.now is not None
    before = "" if done.before is None else f"; before: {_in_words(done.before.bar)} from {done.before.provider}"
    currency = f" {done.company.currency}" if done.company.currency else ""
    click.echo(f"{done.company.symbol} on {day} is set to {_in_words(done.now)}{currency}{before}")


@click.command("unset-price", cls=Command)
@symbol_argument
@click.argument("day", metavar="DATE", type=DateType())
@why_option
@by_option
@with_appcontext
def unset_price(symbol: str, day: date, why: str, by: str) -> None:
    """Give a session whose bar was set by hand back to the providers."""
    done = give_back(current_context(), symbol, day, by=by, why=why)
    now = "no bar stands there" if done.now is None else f"{_in_words(done.now)} stands there, provisional,"
    click.echo(f"{done.company.symbol} on {day} is the providers' again; {now} until a run asks for it")


def _in_words(bar: Bar) -> str:
    """``585.28 (586.79, 588.40, 582.68; 13975700 shares)``: the close, and in brackets open, high, low and volume."""
    o, h, low, c = (plain(price_to_decimal(price)) for price in bar[1:5])
    return f"{c} ({o}, {h}, {low}; {bar.volume} shares)"


@click.command("decisions", cls=Command)
@symbols_option
@format_option
@with_appcontext
def decisions(symbols: tuple[str, ...] | None, format_: str) -> None:
    """Show what people decided about companies: prices set by hand, companies renamed, closed and reopened."""
    context = current_context()
    require_tables(context.database)
    columns: dict[str, Callable[[DecisionView], str]] = {
        "symbol": lambda one: one.symbol,
        "what": lambda one: one.kind,
        "date": lambda one: str(one.date),
        "detail": lambda one: one.detail,
        "by": lambda one: one.decided_by,
        "at": lambda one: new_york(one.decided_at),
        "why": lambda one: one.why,
    }
    found = list_decisions(context.database, symbols=symbols)
    print_rows(found, format_, columns=columns, empty="nobody decided anything")
