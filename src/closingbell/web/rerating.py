"""A payment computed anew: of an own account by whose it is, of any by an administrator."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.errors import UnknownPaymentError, UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.own_accounts import OwnAccount
from closingbell.queries.payments import explain_payment
from closingbell.queries.rerating import view_of
from closingbell.usecases.rerating import preview_rerate, rerate_payment
from closingbell.web.guard import Right, needs, own_account, who_asks

_NUMBER = "int(max=9223372036854775807)"
_OWN = f"/portfolio/<{_NUMBER}:account_id>/payments/<{_NUMBER}:payment_id>/rerate"
_ANY = f"/dividends/<{_NUMBER}:action_id>/payments/<{_NUMBER}:record_id>/rerate"
_LONGEST_WHY = 200


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule(_OWN, "ask_rerate", ask_rerate)
    pages.add_url_rule(_OWN, "do_rerate", do_rerate, methods=["POST"])
    pages.add_url_rule(_ANY, "ask_rerate_any", ask_rerate_any)
    pages.add_url_rule(_ANY, "do_rerate_any", do_rerate_any, methods=["POST"])


@needs(Right.MEMBER)
def ask_rerate(account_id: int, payment_id: int) -> ResponseReturnValue:
    """What would become of an own payment, and the question for the reason."""
    own = _own(account_id, payment_id)
    return _ask(payment_id, url_for("pages.payment", account_id=own.id, payment_id=payment_id))


@needs(Right.MEMBER)
def do_rerate(account_id: int, payment_id: int) -> ResponseReturnValue:
    """Have the next run book it."""
    own = _own(account_id, payment_id)
    return _do(payment_id, url_for("pages.payment", account_id=own.id, payment_id=payment_id))


@needs(Right.ADMINISTRATOR)
def ask_rerate_any(action_id: int, record_id: int) -> ResponseReturnValue:
    """The same of anybody's payment."""
    return _ask(_of_action(action_id, record_id), url_for("pages.explained", action_id=action_id, record_id=record_id))


@needs(Right.ADMINISTRATOR)
def do_rerate_any(action_id: int, record_id: int) -> ResponseReturnValue:
    """The same of anybody's payment."""
    return _do(_of_action(action_id, record_id), url_for("pages.explained", action_id=action_id, record_id=record_id))


def _ask(payment_id: int, back: str, *, why: str = "", error: str | None = None) -> ResponseReturnValue:
    found = None
    try:
        found = view_of(preview_rerate(current_context(), payment_id))
    except UsageError as refused:
        error = error or str(refused)
    page = render_template("ask_rerate.html", payment_id=payment_id, found=found, back=back, why=why, error=error)
    return page, 422 if error else 200


def _do(payment_id: int, back: str) -> ResponseReturnValue:
    why = request.form.get("why", "").strip()[:_LONGEST_WHY]
    if not why:
        return _ask(payment_id, back, error="Say why, for those who look later.")
    try:
        found = rerate_payment(current_context(), payment_id, by=replace(who_asks(), by=current_user.email), why=why)
    except UsageError as refused:
        return _ask(payment_id, back, why=why, error=str(refused))
    done = "The next dividend run books it." if found.changes else "It stays as it is."
    flash(f"Payment {payment_id} is rated again. {done}")
    return redirect(back)


def _own(account_id: int, payment_id: int) -> OwnAccount:
    own = own_account(account_id)
    try:
        found = explain_payment(current_context().database, payment_id)
    except UnknownPaymentError:
        abort(404)
    return own if found.payment.account == own.name else abort(404)


def _of_action(action_id: int, record_id: int) -> int:
    try:
        found = explain_payment(current_context().database, record_id)
    except UnknownPaymentError:
        abort(404)
    return record_id if found.payment.action_id == action_id else abort(404)
