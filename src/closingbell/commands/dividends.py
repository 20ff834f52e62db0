"""Paying dividends by hand, and looking at what was paid."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import click
from flask.cli import with_appcontext

from closingbell.commands.output import (
    EXIT_CODES,
    Command,
    DateType,
    by_option,
    format_option,
    new_york,
    print_json,
    print_rows,
    symbols_option,
)
from closingbell.commands.prices import ask_scheduler
from closingbell.domain.money import plain
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.jobs.dividend_processor import (
    DIVIDEND_PROCESSOR,
    DividendSelection,
    preview_dividends,
    process_dividends,
)
from closingbell.jobs.runner import Occasion
from closingbell.queries.payments import Explanation, PaymentFilter, PaymentView, explain_payment, list_payments
from closingbell.stores.marks import require_tables
from closingbell.usecases.dividends import link_dividend
from closingbell.utils.logs import configure_logs


@click.command("run-dividend-processor", cls=Command)
@symbols_option
@click.option("--as-of", type=DateType(), help="Book what was due on this day and nothing later, YYYY-MM-DD.")
@click.option("--dry-run", is_flag=True, help="Print what would be booked and stop.")
@click.option("--wait/--no-wait", default=True, help="Run it here and now, or ask a scheduler to.", show_default=True)
@format_option
@with_appcontext
def run_dividend_processor_command(
    symbols: tuple[str, ...] | None, as_of: date | None, dry_run: bool, wait: bool, format_: str
) -> None:
    """Book what dividends and splits owe every account, and take back what they do not any more."""
    context = current_context()
    configure_logs(context.settings.log_level, context.settings.log_format)
    require_tables(context.database)
    selection = DividendSelection(symbols, as_of)
    if dry_run:
        preview = preview_dividends(context, selection)
        if format_ == "json":
            print_json(preview)
            return
        for line in preview.lines:
            click.echo(line)
        click.echo(preview.in_words())
        if preview.suggestion_count:
            click.echo(
                f"{preview.suggestion_count} entitlements are only shown, by the account's choice or the cut-over"
            )
        return
    if not wait:
        if as_of is not None:
            raise UsageError("--as-of: a scheduler books up to today; leave --no-wait out")
        ask_scheduler(DIVIDEND_PROCESSOR, symbols, format_)
        return
    arguments = {"symbols": list(symbols)} if symbols else {}
    summary = process_dividends(context, Occasion(requested_by=getpass.getuser(), arguments=arguments), selection)
    if format_ == "json":
        print_json(summary)
    else:
        for item in summary.failed:
            click.echo(f"{item.symbol}: {item.message}", err=True)
        click.echo(f"{summary.status.value}: {summary.message} (run {summary.run_id})")
    sys.exit(EXIT_CODES[summary.status])


@click.command("payments", cls=Command)
@click.option("--account", help="Only those of this account.")
@click.option("--symbol", help="Only those of this company.")
@click.option("--action", "action_id", type=int, help="Only those of this corporate action.")
@click.option("--run", "run_id", type=int, help="Only those that this run booked or took back.")
@click.option("--from", "first", type=DateType(), help="From this value date on, YYYY-MM-DD.")
@click.option("--to", "last", type=DateType(), help="Up to this value date, YYYY-MM-DD.")
@click.option("--reversed", "with_reversed", is_flag=True, help="Also those that were taken back.")
@click.option("--accruals", "with_accruals", is_flag=True, help="Also what is owed from the ex-date on.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, newest first.")
@format_option
@with_appcontext
def payments_command(
    account: str | None,
    symbol: str | None,
    action_id: int | None,
    run_id: int | None,
    first: date | None,
    last: date | None,
    with_reversed: bool,
    with_accruals: bool,
    limit: int,
    format_: str,
) -> None:
    """Show what was paid for dividends and splits; `explain-payment ID` tells why."""
    database = current_context().database
    require_tables(database)
    wanted = PaymentFilter(
        account, symbol.upper() if symbol else None, action_id, run_id, first, last, with_reversed, with_accruals
    )
    found = list_payments(database, wanted, limit=limit)
    print_rows(
        found, format_, columns=_COLUMNS, empty="no payment yet" if wanted == PaymentFilter() else "no such payment"
    )


_COLUMNS: dict[str, Callable[[PaymentView], str]] = {
    "id": lambda one: str(one.id),
    "value date": lambda one: str(one.value_date) + ("~" if one.pay_date_status == "ESTIMATED" else ""),
    "account": lambda one: one.account,
    "symbol": lambda one: one.symbol,
    "what": lambda one: one.leg.lower() if one.leg != "PAYMENT" else one.kind.lower(),
    "ex-date": lambda one: str(one.ex_date),
    "shares": lambda one: plain(one.quantity),
    "gross": lambda one: plain(one.gross),
    "tax": lambda one: plain(one.tax),
    "net": lambda one: f"{plain(one.net)} {one.currency}",
    "cash": lambda one: f"{plain(one.cash)} {one.cash_currency}",
    "version": lambda one: str(one.version) + ("" if one.is_active else f" taken back: {one.reversal_reason}"),
}


@click.command("link-dividend", cls=Command)
@click.argument("order_id", metavar="ORDER", type=int)
@click.argument("action_id", metavar="ACTION", type=int)
@by_option
@with_appcontext
def link_dividend_command(order_id: int, action_id: int, by: str) -> None:
    """Have a dividend among an account's orders stand for a corporate action, whatever its amount."""
    context = current_context()
    require_tables(context.database)
    linked = link_dividend(context, order_id, action_id, by=by)
    click.echo(f"order {order_id} of {linked.account} stands for {linked.symbol}'s corporate action {action_id}")


@click.command("explain-payment", cls=Command)
@click.argument("payment_id", metavar="ID", type=int)
@format_option
@with_appcontext
def explain_payment_command(payment_id: int, format_: str) -> None:
    """Show all that led to a payment: what was declared, which shares counted, rates, rounding, every version."""
    database = current_context().database
    require_tables(database)
    found = explain_payment(database, payment_id)
    if format_ == "json":
        print_json(found)
        return
    for line in _explained(found):
        click.echo(line)


def _explained(found: Explanation) -> list[str]:
    one = found.payment
    lines = [
        f"payment {one.id}: {one.leg} of {one.symbol} {one.kind} to {one.account}, version {one.version}"
        + ("" if one.is_active else f", taken back: {one.reversal_reason}"),
        f"declared   {_declared(found)}",
        f"printed    {found.printed or '-'} by {found.provider}; later splits {found.factor}",
        f"ex-date    {one.ex_date}; record date {found.record_date or 'not known'}",
        f"pay date   {found.pay_date or 'not known'} ({found.pay_date_status.lower()})"
        + (f", told {found.told_pay_date}" if found.told_pay_date else "")
        + (f"; state {found.state}" if found.state else ""),
    ]
    if found.is_held:
        lines.append(f"held       {found.held_reason}")
    if found.is_cancelled:
        lines.append("cancelled")
    counted = found.quantity_now if one.leg == "FRACTION" else one.quantity
    lines.append(f"counted    {plain(counted)} shares, of {len(found.orders)} orders before the ex-date:")
    lines += [f"           {o.trade_date}  {o.type} {plain(o.quantity)} (order {o.order_id})" for o in found.orders]
    lines += [
        f"           {s.ex_date}  split {s.numerator}:{s.denominator}, {plain(s.before)} -> {plain(s.after)}"
        for s in found.splits
    ]
    if found.quantity_now != one.quantity and one.leg in {"ACCRUAL", "PAYMENT"}:
        lines.append(f"           by what is known now {plain(found.quantity_now)}")
    lines += _amounts(found)
    lines.append("versions:")
    for v in found.versions:
        back = (
            f"; taken back {new_york(v.reversed_at)} for {v.reversal_date}: {v.reversal_reason}"
            if v.reversed_at
            else ""
        )
        lines.append(
            f"           {v.leg} {v.version} (payment {v.payment_id}): {plain(v.quantity)} shares, net {plain(v.net)}, "
            f"cash {plain(v.cash)}, counts {v.value_date}, booked {new_york(v.posted_at)}{back}"
        )
    lines.append("the corporate action:")
    lines += [
        f"           version {v.version}, {new_york(v.created_at)} by {v.actor}: {v.reason}"
        for v in found.action_versions
    ]
    lines.append("booked:")
    lines += [f"           {e.value_date}  {e.name}  {plain(e.amount)} {e.currency}" for e in found.entries] or [
        "           nothing: the amount is zero, or only shares moved"
    ]
    return lines


def _declared(found: Explanation) -> str:
    """What each share gets, in money or in shares."""
    if found.ratio is None:
        return f"{_plain(found.declared)} {found.payment.currency} per share of the close before the ex-date"
    if found.child_symbol is None:
        return f"{found.ratio}, new shares for old ones of the close before the ex-date"
    return f"{found.ratio}, shares of {found.child_symbol} for those of the close before the ex-date"


def _spun_off(found: Explanation) -> list[str]:
    """What a spin-off brought, or what was sold of it."""
    one, child = found.payment, found.child_symbol
    if one.leg == "FRACTION":
        return [f"sold       {plain(one.quantity)} shares of {child}, a fraction, by order {found.order_id}"]
    percent = f"{_plain(found.parent_basis_pct)} per cent of the cost stays with {one.symbol}"
    cost = f"{plain(one.gross)} {one.currency} of it goes along"
    return [
        f"brought    {_plain(found.quantity_after)} shares of {child} by order {found.order_id}",
        f"cost       {percent}, {cost}",
    ]


def _amounts(found: Explanation) -> list[str]:
    one = found.payment
    if one.leg == "SPIN_OFF":
        return _spun_off(found) + _moved(found)
    lines = _spun_off(found) if one.leg == "FRACTION" else []
    lines += [
        f"amounts    gross {plain(one.gross)}, tax {plain(one.tax)}, net {plain(one.net)} {one.currency}, "
        f"rounded {found.rounding}",
        f"tax        {found.tax_rate.normalize():f}"
        + (" as the corporate action says" if found.is_rate_of_action else " by the table")
        + "; an estimate, check your statement",
    ]
    if found.fx_rate is not None:
        lines.append(
            f"exchange   1 {one.currency} = {found.fx_rate.normalize():f} {one.cash_currency} of {found.fx_date}"
            + (", fixed by the company" if found.is_fx_of_action else "")
        )
    if found.price is not None:
        lines.append(f"price      {plain(found.price)}")
    lines.append(f"cash       {plain(one.cash)} {one.cash_currency}, counts {one.value_date}")
    return lines + _moved(found)


def _moved(found: Explanation) -> list[str]:
    if not found.was_moved:
        return []
    return [f"moved      it was due {found.due_date}, when the books were closed already"]


def _plain(value: Decimal | None) -> str:
    return "-" if value is None else plain(value)
