"""Shares or cash for one dividend of an own account, where it may be had in either."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.elections import ElectionView, list_elections
from closingbell.queries.own_accounts import OwnAccount
from closingbell.usecases.elections import elect
from closingbell.web.guard import Right, needs, own_account, who_asks

_NUMBER = "int(max=9223372036854775807)"
_ONE = f"/portfolio/<{_NUMBER}:account_id>/elections/<{_NUMBER}:dividend_id>/<any(shares, cash, standing):election>"
_CHOSEN = {"shares": True, "cash": False, "standing": None}


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule(_ONE, "ask_election", ask_election)
    pages.add_url_rule(_ONE, "do_election", do_election, methods=["POST"])


def elections_of(own: OwnAccount, *, with_closed: bool = False) -> list[ElectionView]:
    """The dividends that an account may have in shares."""
    context = current_context()
    return list_elections(context.database, now=context.clock.now(), account=own.name, with_closed=with_closed)


@needs(Right.MEMBER)
def ask_election(account_id: int, dividend_id: int, election: str) -> ResponseReturnValue:
    """The question before a choice is written down."""
    own = own_account(account_id)
    return _ask(own, _find(own, dividend_id), election)


@needs(Right.MEMBER)
def do_election(account_id: int, dividend_id: int, election: str) -> ResponseReturnValue:
    """Write the choice down; the next dividend run books what follows."""
    own = own_account(account_id)
    one = _find(own, dividend_id)
    who = replace(who_asks(), by=current_user.email)
    try:
        elect(current_context(), own.name, dividend_id, _CHOSEN[election], by=who)
    except UsageError as refused:
        return _ask(own, one, election, error=str(refused))
    taken = "what the account always takes" if election == "standing" else election
    flash(f"{one.symbol}, ex {one.ex_date}: {taken}. The next dividend run books what follows.")
    return redirect(url_for("pages.own_dividends", account_id=account_id))


def _ask(own: OwnAccount, one: ElectionView, election: str, *, error: str | None = None) -> ResponseReturnValue:
    page = render_template("ask_election.html", own=own, one=one, election=election, error=error)
    return page, 422 if error else 200


def _find(own: OwnAccount, dividend_id: int) -> ElectionView:
    found = elections_of(own, with_closed=True)
    return next((one for one in found if one.action_id == dividend_id), None) or abort(404)
