"""``closingbell portfolio``, ``income`` and ``calendar``: what is held, what it brought, and what is coming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import cast

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, DateType, format_option, print_json, print_rows
from closingbell.domain.money import plain
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.dividend_calendar import CalendarLine, load_calendar
from closingbell.queries.income import BY, Basis, By, IncomeLine, load_income
from closingbell.queries.portfolio import Amount, PortfolioView, PositionView, load_portfolios
from closingbell.queries.portfolio_values import Every, ValuePoint, load_values
from closingbell.stores.marks import require_tables

_account_option = click.option("--account", help="Only this account.")
_as_of_option = click.option("--as-of", type=DateType(), help="As things were at the end of this day. Default: today.")


@click.command("portfolio", cls=Command)
@_account_option
@_as_of_option
@click.option("--history", type=click.Choice(["day", "week", "month"]), help="The value over time instead.")
@click.option("--from", "first", type=DateType(), help="Where the history begins. Default: a year before.")
@format_option
@with_appcontext
def portfolio(account: str | None, as_of: date | None, history: str | None, first: date | None, format_: str) -> None:
    """Show positions with cost, market value and gain, and cash; or with --history the value over time."""
    context = current_context()
    require_tables(context.database)
    last = as_of or context.clock.now().date()
    if history is not None:
        if account is None:
            raise UsageError("--history needs --account")
        begins = first or last.replace(year=last.year - 1, day=min(last.day, 28))
        points = load_values(context.database, account, first=begins, last=last, every=cast(Every, history))
        print_rows(points, format_, columns=_POINT_COLUMNS, empty="nothing was held")
        return
    views = load_portfolios(context.database, as_of=last, account=account)
    if format_ == "json":
        print_json(views)
        return
    if not views:
        click.echo("no accounts yet")
    for view in views:
        _print_view(view)


def _print_view(view: PortfolioView) -> None:
    click.echo(f"{view.account} on {view.as_of}")
    print_rows(view.positions, "text", columns=_POSITION_COLUMNS, empty="no positions")
    click.echo(f"cash: {_amounts(view.cash) or '0.00 ' + view.currency}")
    if view.owed:
        click.echo(f"owed between ex-date and pay date: {_amounts(view.owed)}")
    total = f"{plain(view.total)} {view.currency}" if view.total is not None else _amounts(view.totals)
    click.echo(f"total: {total}")
    for remark in view.remarks:
        click.echo(f"note: {remark}")
    click.echo("")


@click.command("income", cls=Command)
@_account_option
@click.option("--from", "first", type=DateType(), help="From this day on, YYYY-MM-DD.")
@click.option("--to", "last", type=DateType(), help="Up to this day, YYYY-MM-DD.")
@click.option("--as-of", type=DateType(), help="Another word for --to.")
@click.option(
    "--basis", type=click.Choice(["paid", "ex"]), default="paid", show_default=True, help="Day of payment, or ex-date."
)
@click.option("--by", default="month,company,account", show_default=True, help="What to tell apart.")
@format_option
@with_appcontext
def income(
    account: str | None, first: date | None, last: date | None, as_of: date | None, basis: str, by: str, format_: str
) -> None:
    """Show income by month, company and account: gross, tax and net, in each currency."""
    context = current_context()
    require_tables(context.database)
    told = tuple(word.strip() for word in by.split(",") if word.strip())
    if not set(told) <= set(BY):
        raise UsageError(f"--by: some of {','.join(BY)}")
    lines = load_income(
        context.database,
        account=account,
        first=first,
        last=last or as_of,
        basis=cast(Basis, basis),
        by=cast(tuple[By, ...], told),
    )
    print_rows(lines, format_, columns=_INCOME_COLUMNS, empty="no income")


@click.command("calendar", cls=Command)
@_account_option
@_as_of_option
@format_option
@with_appcontext
def calendar(account: str | None, as_of: date | None, format_: str) -> None:
    """Show coming ex-dates and pay dates of what is held, with the cash that is expected."""
    context = current_context()
    require_tables(context.database)
    lines = load_calendar(context.database, as_of=as_of or context.clock.now().date(), account=account)
    print_rows(lines, format_, columns=_CALENDAR_COLUMNS, empty="nothing is coming that is known")


def _shown(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _amounts(amounts: Sequence[Amount]) -> str:
    return ", ".join(f"{plain(one.amount)} {one.currency}" for one in amounts)


_POSITION_COLUMNS: dict[str, Callable[[PositionView], str]] = {
    "symbol": lambda one: one.symbol,
    "shares": lambda one: plain(one.quantity),
    "cost": lambda one: f"{_shown(one.cost)} {one.cost_currency or ''}".strip(),
    "average": lambda one: _shown(one.average_cost),
    "close": lambda one: _shown(one.close),
    "on": lambda one: str(one.close_date or "not stored"),
    "value": lambda one: "" if one.market_value is None else f"{plain(one.market_value)} {one.currency}",
    "gain": lambda one: _shown(one.unrealised_gain),
    "realised": lambda one: _shown(one.realised_gain),
}
_POINT_COLUMNS: dict[str, Callable[[ValuePoint], str]] = {
    "date": lambda one: str(one.date),
    "shares": lambda one: _amounts(one.securities),
    "cash": lambda one: _amounts(one.cash),
    "owed": lambda one: _amounts(one.owed),
    "total": lambda one: _shown(one.total),
}
_INCOME_COLUMNS: dict[str, Callable[[IncomeLine], str]] = {
    "month": lambda one: one.month or "",
    "symbol": lambda one: one.symbol or "",
    "account": lambda one: one.account or "",
    "kind": lambda one: one.kind,
    "gross": lambda one: plain(one.gross),
    "tax": lambda one: plain(one.tax),
    "net": lambda one: plain(one.net),
    "currency": lambda one: one.currency,
}
_CALENDAR_COLUMNS: dict[str, Callable[[CalendarLine], str]] = {
    "ex-date": lambda one: str(one.ex_date),
    "pay date": lambda one: "" if one.pay_date is None else f"{one.pay_date} ({one.pay_date_status.lower()})",
    "symbol": lambda one: one.symbol,
    "account": lambda one: one.account,
    "state": lambda one: one.state,
    "shares": lambda one: plain(one.quantity),
    "each": lambda one: _shown(one.per_share),
    "gross": lambda one: _shown(one.gross),
    "tax": lambda one: _shown(one.tax),
    "net": lambda one: "" if one.net is None else f"{plain(one.net)} {one.currency}",
    "": lambda one: one.remark,
}
