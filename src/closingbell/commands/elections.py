"""``closingbell elections``: shares or cash, where a dividend may be had in either."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option, format_option, print_rows
from closingbell.domain.money import plain
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.elections import ElectionView, list_elections, view_of
from closingbell.stores.marks import require_tables
from closingbell.usecases.elections import elect


@click.group("elections")
def elections() -> None:
    """Choose shares or cash for one dividend that may be had in either."""


@elections.command("list", cls=Command)
@click.option("--account", help="Only those of this account.")
@click.option("--all", "with_closed", is_flag=True, help="Also those whose deadline is over.")
@format_option
@with_appcontext
def list_(account: str | None, with_closed: bool, format_: str) -> None:
    """Show the dividends that accounts may have in shares, until when, and what each takes."""
    context = current_context()
    require_tables(context.database)
    found = list_elections(context.database, now=context.clock.now(), account=account, with_closed=with_closed)
    print_rows(found, format_, columns=_COLUMNS, empty="no dividend may be had in shares")


_COLUMNS: dict[str, Callable[[ElectionView], str]] = {
    "action": lambda one: str(one.action_id),
    "account": lambda one: one.account,
    "symbol": lambda one: one.symbol,
    "ex-date": lambda one: str(one.ex_date),
    "per share": lambda one: "" if one.per_share is None else f"{plain(one.per_share)} {one.currency}",
    "issuer's price": lambda one: "" if one.price is None else plain(one.price),
    "deadline": lambda one: str(one.deadline or "not known"),
    "takes": lambda one: one.choice + (", as the account always does" if one.is_standing else ", chosen"),
    "": lambda one: "" if one.is_open else "closed",
}


@elections.command("choose", cls=Command)
@click.argument("action_id", metavar="ACTION", type=int)
@click.option("--account", required=True, help="Whose choice it is.")
@click.option("--shares", "choice", flag_value="shares", help="Whole shares at the issuer's price, the rest in cash.")
@click.option("--cash", "choice", flag_value="cash", help="All of it in cash.")
@click.option("--standing", "choice", flag_value="standing", help="What the account always takes.")
@by_option
@with_appcontext
def choose(action_id: int, account: str, choice: str | None, by: str) -> None:
    """Choose for one account and dividend; ACTION is the number of a corporate action. The next run books it."""
    context = current_context()
    require_tables(context.database)
    if choice is None:
        raise UsageError("say what is chosen: --shares, --cash or --standing")
    chosen = {"shares": True, "cash": False, "standing": None}[choice]
    one = view_of(elect(context, account, action_id, chosen, by=by))
    click.echo(f"{one.account} takes {one.choice} of {one.symbol}, ex {one.ex_date}; the next dividend run books it")
