"""A person's word on suggested payments of an own account: to be paid, or not wanted."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.own_accounts import OwnAccount
from closingbell.queries.suggestions import SuggestionView, list_suggestions
from closingbell.usecases.suggestions import accept_suggestions, dismiss_suggestions
from closingbell.web.guard import Right, needs, own_account, who_asks

_NUMBER = "int(max=9223372036854775807)"
_ONE = f"/portfolio/<{_NUMBER}:account_id>/suggestions/<{_NUMBER}:action_id>/<any(accept, dismiss):choice>"


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule(_ONE, "ask_suggestion", ask_suggestion)
    pages.add_url_rule(_ONE, "do_suggestion", do_suggestion, methods=["POST"])


def suggestions_of(own: OwnAccount, *, with_decided: bool = False) -> list[SuggestionView]:
    """What is suggested to an account."""
    context = current_context()
    now, lag = context.clock.now(), context.settings.dividend_pay_lag_days
    return list_suggestions(context.database, now=now, lag=lag, account=own.name, with_decided=with_decided)


@needs(Right.MEMBER)
def ask_suggestion(account_id: int, action_id: int, choice: str) -> ResponseReturnValue:
    """The question before a suggestion is paid or left alone."""
    own = own_account(account_id)
    return render_template("ask_suggestion.html", own=own, one=_find(own, action_id), choice=choice)


@needs(Right.MEMBER)
def do_suggestion(account_id: int, action_id: int, choice: str) -> ResponseReturnValue:
    """Write the decision down; the next dividend run books what follows."""
    own = own_account(account_id)
    one = _find(own, action_id)
    decide = accept_suggestions if choice == "accept" else dismiss_suggestions
    try:
        decide(current_context(), own.name, [action_id], by=who_asks())
    except UsageError:
        # It was booked, or an entry came, a moment ago.
        abort(404)
    done = "is paid by the next dividend run" if choice == "accept" else "is not shown again"
    flash(f"{one.symbol}, ex {one.ex_date}, {done}.")
    return redirect(url_for("pages.own_dividends", account_id=account_id))


def _find(own: OwnAccount, action_id: int) -> SuggestionView:
    found = suggestions_of(own, with_decided=True)
    return next((one for one in found if one.action_id == action_id), None) or abort(404)
