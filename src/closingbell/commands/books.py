"""``closingbell accounts`` and ``closingbell books``: what people decide about their accounts and all books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

import click
from flask.cli import with_appcontext

from closingbell.commands.order_entry import Number, by_option
from closingbell.commands.output import Command, DateType, format_option, print_json, print_rows, upper
from closingbell.domain.entitlements import FRACTION_POLICIES
from closingbell.domain.money import plain
from closingbell.domain.rounding import ROUNDINGS
from closingbell.domain.withholding import WithholdingRule
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.holding_choices import HoldingView, list_holding_choices
from closingbell.stores.accounts import AccountFacts
from closingbell.usecases.accounts import (
    DIVIDEND_PREFERENCES,
    add_account,
    change_account,
    give_account,
    list_accounts,
    read_books,
    set_book,
    set_fx_rate,
    set_reinvesting,
    set_withholding_rate,
)

_OPTIONS = (
    click.option("--currency", callback=upper, help="Currency that dividends are paid out in, as in USD."),
    click.option("--residence", callback=upper, help="The owner's country, as in US, for withholding tax."),
    click.option("--rounding", type=click.Choice(ROUNDINGS), help="How dividends are rounded."),
    click.option("--fractions", "fraction_policy", type=click.Choice(FRACTION_POLICIES), help="At splits."),
    click.option("--reinvest/--no-reinvest", "is_reinvesting", default=None, help="Buy shares for dividends."),
    click.option("--drip-decimals", type=int, help="Decimals of reinvested shares."),
    click.option("--dividends", "dividend_preference", type=click.Choice(DIVIDEND_PREFERENCES), help="Pay them?"),
    click.option("--scrip/--no-scrip", "takes_scrip", default=None, help="Take shares that are offered for cash."),
    click.option("--opened", "opened_date", type=DateType(), help="When the account was opened, YYYY-MM-DD."),
)


def _account_options(function: Any) -> Any:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.group("accounts")
def accounts() -> None:
    """Accounts, and how dividends and fractions of shares are settled in each."""


@accounts.command("list", cls=Command)
@format_option
@with_appcontext
def list_(format_: str) -> None:
    """Show every account."""
    _print(list_accounts(current_context()), format_)


@accounts.command("add", cls=Command)
@click.argument("name")
@_account_options
@by_option
@with_appcontext
def add(name: str, by: str, **settings: Any) -> None:
    """Make an account called NAME."""
    account = add_account(current_context(), name, by=by, **_told(settings))
    click.echo(f"account {account.name} is there, in {account.currency}")


@accounts.command("set", cls=Command)
@click.argument("name")
@_account_options
@by_option
@format_option
@with_appcontext
def set_(name: str, by: str, format_: str, **settings: Any) -> None:
    """Change what account NAME decides; what is booked for it is looked at again by the next run."""
    _print([change_account(current_context(), name, by=by, **_told(settings))], format_)


@accounts.command("give", cls=Command)
@click.argument("name")
@click.argument("email")
@by_option
@with_appcontext
def give(name: str, email: str, by: str) -> None:
    """Make account NAME the own of the person with that e-mail address, whose pages show it."""
    account = give_account(current_context(), name, email, by=by)
    click.echo(f"account {account.name} is {email.strip()}'s")


@accounts.command("reinvest", cls=Command)
@click.argument("name")
@click.argument("symbol", required=False, callback=upper)
@click.option("--on", "choice", flag_value="on", help="Buy shares for this company's dividends.")
@click.option("--off", "choice", flag_value="off", help="Leave this company's dividends in cash.")
@click.option("--as-account", "choice", flag_value="account", help="As the account chooses for all companies.")
@by_option
@format_option
@with_appcontext
def reinvest(name: str, symbol: str | None, choice: str | None, by: str, format_: str) -> None:
    """Choose for one company whether its dividends buy shares; without SYMBOL, show what account NAME chose so."""
    context = current_context()
    if (symbol is None) != (choice is None):
        raise UsageError("name the company, and say --on, --off or --as-account; or neither, to see what is chosen")
    if symbol is not None and choice is not None:
        set_reinvesting(context, name, symbol, {"on": True, "off": False, "account": None}[choice], by=by)
    columns: dict[str, Callable[[HoldingView], str]] = {
        "account": lambda one: one.account,
        "symbol": lambda one: one.symbol,
        "dividends": lambda one: "reinvested" if one.is_reinvesting else "in cash",
    }
    found = list_holding_choices(context.database, account=name)
    print_rows(found, format_, columns=columns, empty=f"{name} chooses for all companies alike")


def _told(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _print(found: list[AccountFacts], format_: str) -> None:
    columns: dict[str, Callable[[AccountFacts], str]] = {
        "account": lambda one: one.name,
        "currency": lambda one: one.currency,
        "residence": lambda one: one.residence or "",
        "dividends": lambda one: (
            one.dividend_preference
            + (", reinvested" if one.is_reinvesting else "")
            + (", scrip" if one.takes_scrip else "")
        ),
        "fractions": lambda one: one.fraction_policy,
        "rounding": lambda one: one.rounding,
    }
    print_rows(found, format_, columns=columns, empty="no accounts yet")


@click.group("books")
def books() -> None:
    """What holds for all books: closed periods, the cut-over date, pay dates, withholding and exchange rates."""


@books.command("show", cls=Command)
@format_option
@with_appcontext
def show(format_: str) -> None:
    """Show the settings of the books and every withholding rate."""
    settings, rules = read_books(current_context())
    if format_ == "json":
        print_json({"settings": asdict(settings), "withholding": [asdict(rule) for rule in rules]})
        return
    for name, value in asdict(settings).items():
        click.echo(f"{name}: {value or 'not set'}")
    click.echo("")
    columns: dict[str, Callable[[WithholdingRule], str]] = {
        "from": lambda rule: rule.source_country,
        "for": lambda rule: f"account {rule.account_id}" if rule.account_id else rule.residence or "everybody abroad",
        "kind": lambda rule: rule.action_type or "all",
        "rate": lambda rule: plain(rule.rate),
        "since": lambda rule: str(rule.valid_from),
        "": lambda rule: "example: check your statement" if rule.is_example else "",
    }
    print_rows(rules, format_, columns=columns, empty="no withholding rates")


@books.command("set", cls=Command)
@click.argument("name")
@click.argument("value", default="")
@by_option
@with_appcontext
def set_setting(name: str, value: str, by: str) -> None:
    """Set lock_date, cutover_date, pay_policy or fx_date; without VALUE it is taken back."""
    settings = set_book(current_context(), name, value, by=by)
    click.echo(f"{name}: {getattr(settings, name) or 'not set'}")


@books.command("withhold", cls=Command)
@click.argument("country", callback=upper)
@click.argument("rate", type=Number())
@click.option("--since", type=DateType(), required=True, help="From this date on, YYYY-MM-DD.")
@click.option("--account", help="Only for this account.")
@click.option("--residence", callback=upper, help="Only for owners who live in this country.")
@click.option("--kind", "action_type", callback=upper, help="Only for this kind: CASH, CASH_SPECIAL, CAP_GAIN.")
@click.option("--note", help="Anything to remember.")
@by_option
@with_appcontext
def withhold(country: str, rate: Decimal, since: date, **scope: Any) -> None:
    """Set what share (0.15) of a dividend from COUNTRY is withheld."""
    rule = set_withholding_rate(current_context(), country, rate, valid_from=since, **scope)
    click.echo(f"{plain(rule.rate)} of dividends from {country} is withheld from {since} on ({rule.scope})")


@books.command("fx", cls=Command)
@click.argument("from_", metavar="FROM", callback=upper)
@click.argument("to", callback=upper)
@click.argument("day", metavar="DATE", type=DateType())
@click.argument("rate", type=Number())
@by_option
@with_appcontext
def fx(from_: str, to: str, day: date, rate: Decimal, by: str) -> None:
    """Set what one FROM was worth in TO on DATE."""
    set_fx_rate(current_context(), from_, to, day, rate, by=by)
    click.echo(f"1 {from_} was {plain(rate)} {to} on {day}")
