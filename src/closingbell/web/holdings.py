"""What an own account chooses for one company: whether its dividends buy shares."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.errors import UnknownSymbolError, UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.holding_choices import list_holding_choices
from closingbell.queries.own_accounts import OwnAccount
from closingbell.usecases.accounts import find_account, set_reinvesting
from closingbell.web.guard import Right, needs, own_account, who_asks

_ONE = "/portfolio/<int(max=9223372036854775807):account_id>/holdings/<symbol>"
# What the form says -> what is chosen.
CHOICES = {"account": None, "on": True, "off": False}


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule(_ONE, "ask_holding", ask_holding)
    pages.add_url_rule(_ONE, "do_holding", do_holding, methods=["POST"])


def reinvested(own: OwnAccount) -> dict[str, bool]:
    """For which companies an account chose otherwise than for all, or the same by name."""
    found = list_holding_choices(current_context().database, account=own.name)
    return {one.symbol: one.is_reinvesting for one in found}


@needs(Right.MEMBER)
def ask_holding(account_id: int, symbol: str) -> ResponseReturnValue:
    """What is chosen for a company, to be changed."""
    return _ask(own_account(account_id), symbol)


@needs(Right.MEMBER)
def do_holding(account_id: int, symbol: str) -> ResponseReturnValue:
    """Write the choice down; payments from then on follow it."""
    own, said = own_account(account_id), request.form.get("reinvest", "")
    if said not in CHOICES:
        return _ask(own, symbol, error="Say whether the dividends buy shares.")
    context, who = current_context(), replace(who_asks(), by=current_user.email)
    try:
        set_reinvesting(context, own.name, symbol, CHOICES[said], by=who)
    except UnknownSymbolError:
        abort(404)
    except UsageError as refused:
        return _ask(own, symbol, error=str(refused))
    flash(f"{symbol.upper()}: the choice is kept. The next dividend run follows it.")
    return redirect(url_for("pages.account", account_id=own.id))


def _ask(own: OwnAccount, symbol: str, *, error: str | None = None) -> ResponseReturnValue:
    chosen = reinvested(own).get(symbol)
    by_account = find_account(current_context(), own.name).is_reinvesting
    said = next(word for word, choice in CHOICES.items() if choice is chosen)
    page = render_template("holding.html", own=own, symbol=symbol, said=said, by_account=by_account, error=error)
    return page, 422 if error else 200
