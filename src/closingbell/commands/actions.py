"""``closingbell actions``: corporate actions, what waits for a person, and what a person decides or enters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import click
from flask.cli import with_appcontext

from closingbell.commands.output import (
    Command,
    DateType,
    NumberType,
    by_option,
    format_option,
    new_york,
    print_json,
    print_rows,
    symbol_argument,
    symbols_option,
    why_option,
)
from closingbell.domain.action_checks import parse_ratio
from closingbell.domain.action_words import in_words
from closingbell.domain.actions import AcceptedAction, AcceptedKind
from closingbell.domain.money import PRICE_SCALE, QUANTITY_SCALE, plain
from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext, current_context
from closingbell.queries.actions import ActionDetail, ActionView, list_actions, show_action
from closingbell.stores.marks import require_tables
from closingbell.usecases import actions as decisions

F = TypeVar("F", bound=Callable[..., Any])


_AMOUNT, _PRICE = NumberType(QUANTITY_SCALE), NumberType(PRICE_SCALE)
_KIND = click.Choice([kind.value for kind in AcceptedKind], case_sensitive=False)
_FACTS = (
    click.option("--amount", type=_AMOUNT, help="Per share of the close before the ex-date, in the major unit."),
    click.option("--currency", metavar="CODE", help="Of the amount; the company's unless told."),
    click.option("--ratio", metavar="NEW:OLD", help="New shares per old share, or the child's per the parent's."),
    click.option("--record-date", type=DateType(), help="Whoever is registered on this day has the right."),
    click.option("--pay-date", type=DateType(), help="When it is paid, confirmed."),
    click.option("--tax-rate", type=_AMOUNT, help="Withholding tax for everybody, as 0.15."),
    click.option("--fx-currency", metavar="CODE", help="The currency for which the company fixed a rate."),
    click.option("--fx-rate", type=_AMOUNT, help="That rate: units of it for one of the dividend's currency."),
    click.option("--child", "child_symbol", metavar="SYMBOL", help="The company that is spun off."),
    click.option("--parent-basis-pct", type=_AMOUNT, help="Per cent of the cost that stays with the parent."),
    click.option(
        "--cash-in-lieu-price", type=_PRICE, help="Paid for the fractions of a share; the first close until told."
    ),
    click.option("--scrip-price", type=_PRICE, help="The issuer's price of a new share in place of cash."),
    click.option("--election-deadline", type=DateType(), help="Until when shares may be chosen."),
)


def _fact_options(function: F) -> F:
    for option in reversed(_FACTS):
        function = option(function)
    return function


_id_argument = click.argument("action_id", metavar="ID", type=int)


@click.group("actions")
def actions() -> None:
    """Show dividends, splits and other corporate actions; decide on doubtful ones, enter what no provider knows."""


@actions.command("list", cls=Command)
@click.option("--all", "is_all", is_flag=True, help="Every action, not only those that wait for a person.")
@click.option("--from", "first", type=DateType(), help="From this ex-date on.")
@click.option("--to", "last", type=DateType(), help="Up to this ex-date.")
@symbols_option
@format_option
@with_appcontext
def list_(is_all: bool, first: date | None, last: date | None, symbols: tuple[str, ...] | None, format_: str) -> None:
    """Show the actions that wait for a person, with the reason."""
    found = list_actions(_ready_context().database, symbols=symbols, first=first, last=last, waiting_only=not is_all)
    columns: dict[str, Callable[[ActionView], str]] = {
        "id": lambda one: str(one.id),
        "symbol": lambda one: one.symbol,
        "ex-date": lambda one: str(one.ex_date),
        "what": lambda one: one.words,
        "pay date": lambda one: str(one.pay_date or ""),
        "state": lambda one: one.state,
        "from": lambda one: "a person" if one.is_user_entered else one.provider,
        "waits for": lambda one: one.waits_for or "",
    }
    empty = "no corporate action is known" if is_all else "no corporate action waits for a decision"
    print_rows(found, format_, columns=columns, empty=empty)


@actions.command("show", cls=Command)
@_id_argument
@format_option
@with_appcontext
def show(action_id: int, format_: str) -> None:
    """Show one action: its facts, every version with who and why, and what providers printed."""
    detail = show_action(_ready_context().database, action_id)
    if format_ == "json":
        print_json(detail)
        return
    for line in _lines(detail):
        click.echo(line)


def _lines(detail: ActionDetail) -> list[str]:
    one = detail.action
    lines = [f"{one.symbol}: {one.words}, ex {one.ex_date}, {one.state}"]
    if one.record_date:
        lines.append(f"record date {one.record_date}")
    lines.append(f"pay date {one.pay_date or 'unknown'} ({one.pay_date_status.lower()})")
    lines += [f"{name.replace('_', ' ')} {value}" for name, value in detail.details.items()]
    if one.waits_for:
        lines.append(f"waits: {one.waits_for}")
    for of in detail.booked:
        accounts = f"{of.account_count} account{'s' * (of.account_count != 1)}"
        lines.append(
            f"booked: {plain(of.shares)} shares in {accounts}, with {plain(of.cost)} {of.currency} of the cost"
        )
    lines.append("versions")
    for version in detail.versions:
        facts = ", ".join(f"{name} {value}" for name, value in version.facts.items())
        lines.append(f"  {version.version}  {new_york(version.created_at)}  {version.actor}: {version.reason}")
        lines.append(f"     {facts}")
    lines.append("printed" if detail.prints else "no provider printed it")
    for row in detail.prints:
        seen = f"{row.seen_count} times from {new_york(row.first_seen_at)} to {new_york(row.last_seen_at)}"
        note = f": {row.note}" if row.note else ""
        lines.append(f"  {row.provider} {row.printed} for {row.ex_date}, {seen}  {row.verdict}{note}")
    return lines


@actions.command("apply", cls=Command)
@_id_argument
@click.option("--told", is_flag=True, help="As the provider tells it now, instead of as it is kept.")
@why_option
@by_option
@with_appcontext
def apply(action_id: int, told: bool, why: str, by: str) -> None:
    """Let an action count that is held; with --told, take over what a provider tells differently."""
    _say("counts", decisions.apply_action(_ready_context(), action_id, by=by, why=why, told=told))


@actions.command("ignore", cls=Command)
@_id_argument
@why_option
@by_option
@with_appcontext
def ignore(action_id: int, why: str, by: str) -> None:
    """Leave a held action out; or keep an action as it is where a provider tells it differently."""
    done = decisions.ignore_action(_ready_context(), action_id, by=by, why=why)
    _say("is left out" if done.is_cancelled else "stays as it is", done)


@actions.command("cancel", cls=Command)
@_id_argument
@why_option
@by_option
@with_appcontext
def cancel(action_id: int, why: str, by: str) -> None:
    """Take an action back: what follows from it is reversed."""
    _say("is cancelled", decisions.cancel_action(_ready_context(), action_id, by=by, why=why))


@actions.command("reinstate", cls=Command)
@_id_argument
@why_option
@by_option
@with_appcontext
def reinstate(action_id: int, why: str, by: str) -> None:
    """Let a cancelled or ignored action count again."""
    done = decisions.reinstate_action(_ready_context(), action_id, by=by, why=why)
    _say("waits for a decision again" if done.is_held else "counts again", done)


@actions.command("edit", cls=Command)
@_id_argument
@click.option("--kind", type=_KIND, help="What it is.")
@click.option("--ex-date", type=DateType(), help="The first day without the right.")
@_fact_options
@why_option
@by_option
@with_appcontext
def edit(action_id: int, kind: str | None, why: str, by: str, **told: Any) -> None:
    """Change facts of an action; no provider changes it from then on."""
    changes = _facts(told)
    if kind is not None:
        changes["kind"] = AcceptedKind(kind.upper())
    done = decisions.edit_action(_ready_context(), action_id, changes, by=by, why=why)
    _say("waits for a decision" if done.is_held else "counts", done)


@actions.command("add", cls=Command)
@symbol_argument
@click.argument("kind", type=_KIND)
@click.option("--ex-date", type=DateType(), help="The first day without the right; or give --record-date.")
@click.option("--second", "is_second", is_flag=True, help="Another one of the same kind and day.")
@_fact_options
@why_option
@by_option
@with_appcontext
def add(symbol: str, kind: str, ex_date: date | None, is_second: bool, why: str, by: str, **told: Any) -> None:
    """Enter an action that no provider tells of."""
    typed = decisions.TypedAction(symbol, AcceptedKind(kind.upper()), ex_date, _facts(told), is_second)
    _say("counts", decisions.add_action(_ready_context(), typed, by=by, why=why))


def _facts(told: dict[str, Any]) -> dict[str, Any]:
    """What was given of the facts, by the names that they are kept under."""
    given = {name: value for name, value in told.items() if value is not None}
    ratio = given.pop("ratio", None)
    if ratio is not None:
        try:
            parsed = parse_ratio(ratio)
        except ValueError as error:
            raise UsageError(str(error)) from None
        given |= {"numerator": parsed.numerator, "denominator": parsed.denominator}
    for name in ("currency", "fx_currency", "child_symbol"):
        if name in given:
            given[name] = given[name].strip().upper()
    return given


def _say(what: str, done: AcceptedAction) -> None:
    click.echo(f"number {done.id}, {in_words(done.facts)} of {done.ex_date}, {what} (version {done.version})")


def _ready_context() -> JobContext:
    context = current_context()
    require_tables(context.database)
    return context
