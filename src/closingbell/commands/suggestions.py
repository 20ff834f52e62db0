"""``closingbell suggestions``: payments that wait for a person's word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option, format_option, print_rows, symbols_option
from closingbell.domain.money import plain
from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext, current_context
from closingbell.queries.suggestions import SuggestionView, list_suggestions
from closingbell.stores.marks import require_tables
from closingbell.usecases.suggestions import accept_suggestions, dismiss_suggestions
from closingbell.utils.text import counted


@click.group("suggestions")
def suggestions() -> None:
    """Show payments that are only suggested, and have them paid or left alone."""


@suggestions.command("list", cls=Command)
@click.option("--account", help="Only those of this account.")
@click.option("--decided", "with_decided", is_flag=True, help="Also those dismissed, or accepted and not booked yet.")
@symbols_option
@format_option
@with_appcontext
def list_(account: str | None, with_decided: bool, symbols: tuple[str, ...] | None, format_: str) -> None:
    """Show what would be paid if it were not left to you: by an account's choice, or before the cut-over."""
    context = _ready_context()
    found = list_suggestions(
        context.database,
        now=context.clock.now(),
        lag=context.settings.dividend_pay_lag_days,
        account=account,
        symbols=symbols,
        with_decided=with_decided,
    )
    print_rows(found, format_, columns=_COLUMNS, empty="nothing is suggested")


_COLUMNS: dict[str, Callable[[SuggestionView], str]] = {
    "action": lambda one: str(one.action_id),
    "account": lambda one: one.account,
    "symbol": lambda one: one.symbol,
    "what": lambda one: one.kind.lower(),
    "ex-date": lambda one: str(one.ex_date),
    "pay date": lambda one: str(one.pay_date or "") + ("~" if one.pay_date_status == "ESTIMATED" else ""),
    "shares": lambda one: plain(one.quantity),
    "per share": lambda one: "" if one.per_share is None else plain(one.per_share),
    "gross": lambda one: plain(one.gross),
    "tax": lambda one: plain(one.tax),
    "net": lambda one: f"{plain(one.net)} {one.currency}",
    "remark": lambda one: "; ".join(words for words in (one.decision, one.remark) if words),
}

_actions = click.argument("action_ids", metavar="[ACTION]...", type=int, nargs=-1)
_account = click.option("--account", required=True, help="Whose suggestions they are.")
_all = click.option("--all", "is_all", is_flag=True, help="All that are suggested to the account.")


@suggestions.command("accept", cls=Command)
@_actions
@_account
@_all
@by_option
@with_appcontext
def accept(action_ids: tuple[int, ...], account: str, is_all: bool, by: str) -> None:
    """Have them paid like any other: the next dividend run books them. ACTION is the number of a corporate action."""
    found = accept_suggestions(_ready_context(), account, _chosen(action_ids, is_all=is_all), by=by)
    click.echo(f"{counted(len(found), 'suggestion')} of {account} will be paid by the next dividend run")


@suggestions.command("dismiss", cls=Command)
@_actions
@_account
@_all
@by_option
@with_appcontext
def dismiss(action_ids: tuple[int, ...], account: str, is_all: bool, by: str) -> None:
    """Leave them alone: they are not shown again. ACTION is the number of a corporate action."""
    found = dismiss_suggestions(_ready_context(), account, _chosen(action_ids, is_all=is_all), by=by)
    click.echo(f"{counted(len(found), 'suggestion')} of {account} will not be shown again")


def _chosen(action_ids: Sequence[int], *, is_all: bool) -> Sequence[int] | None:
    if is_all == bool(action_ids):
        raise UsageError("name corporate actions by their numbers, or all of the account with --all")
    return None if is_all else action_ids


def _ready_context() -> JobContext:
    context = current_context()
    require_tables(context.database)
    return context
