"""*Dividends*: corporate actions, those that wait for a person first, and what an administrator decides on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.domain.actions import AcceptedAction
from closingbell.domain.money import BIGINT_MAX
from closingbell.errors import UnknownPaymentError, UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.actions import ActionDetail, ActionView, list_actions, show_action
from closingbell.queries.dividend_events import EventView, count_events, list_events
from closingbell.queries.dividend_months import load_month
from closingbell.queries.own_accounts import list_own_accounts
from closingbell.queries.payments import PaymentFilter, PaymentView, explain_payment, list_payments
from closingbell.usecases import actions as decisions
from closingbell.web.dividend_month import MOST_A_DAY, asked_day, asked_month, in_weeks, month_beside
from closingbell.web.guard import Right, needs, right_of_user, who_asks

# So far back the list goes where nothing is asked for.
RECENT = timedelta(days=90)
LONGEST_WHY = 500
# So many events of a state, and payments of an action, stand on a page.
LISTED = 100

_ONE = "/dividends/<int(max=9223372036854775807):action_id>"
# what -> the question, the use case, and what is true afterwards.
DECISIONS: dict[str, tuple[str, Callable[..., AcceptedAction], str]] = {
    "apply": ("Let it count?", decisions.apply_action, "counts"),
    "take-over": (
        "Take over what the provider tells now?",
        partial(decisions.apply_action, told=True),
        "counts as the provider tells it",
    ),
    "ignore": ("Leave it out, or as it is?", decisions.ignore_action, "is ignored"),
    "cancel": ("Take it back? What follows from it is reversed.", decisions.cancel_action, "is cancelled"),
    "reinstate": ("Let it count again?", decisions.reinstate_action, "is reinstated"),
}


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule("/dividends", "dividends", show_dividends)
    pages.add_url_rule(_ONE, "action", show_one)
    pages.add_url_rule(f"{_ONE}/payments/<int(max=9223372036854775807):record_id>", "explained", explain)
    pages.add_url_rule(f"{_ONE}/<decision>", "ask_action", ask_action)
    pages.add_url_rule(f"{_ONE}/<decision>", "do_action", do_action, methods=["POST"])


@needs(Right.VIEWER)
def show_dividends() -> ResponseReturnValue:
    """What waits for a person, a month's calendar, events by state, then the recent actions or all of one company."""
    context, errors = current_context(), []
    today = context.clock.now().date()
    symbol = request.args.get("symbol", "").strip().upper()
    waiting, known = list_actions(context.database), []
    try:
        first, on = asked_month(today), asked_day()
    except UsageError as refused:
        errors.append(str(refused))
        first, on = today.replace(day=1), None
    month = load_month(context.database, first, as_of=today)
    events: list[EventView] = []
    state = request.args.get("state", "").strip().upper()
    try:
        if symbol:
            known = list_actions(context.database, symbols=(symbol,), waiting_only=False)
        else:
            known = list_actions(context.database, first=today - RECENT, waiting_only=False)
        if state:
            events = list_events(
                context.database, state, symbol=symbol or None, before_id=seen_last(), limit=LISTED + 1
            )
    except UsageError as refused:
        errors.append(str(refused))
    known.sort(key=lambda one: (one.ex_date, one.symbol), reverse=True)
    page = render_template(
        "dividends.html",
        waiting=waiting,
        known=known,
        symbol=symbol,
        errors=errors,
        possible=possible,
        month=month,
        weeks=in_weeks(month),
        earlier=month_beside(first, -1),
        later=month_beside(first, 1),
        most=MOST_A_DAY,
        on=on,
        today=today,
        counts=count_events(context.database),
        state=state,
        events=events[:LISTED],
        older=events[LISTED - 1].id if len(events) > LISTED else None,
    )
    return page, 422 if errors else 200


@needs(Right.VIEWER)
def show_one(action_id: int) -> ResponseReturnValue:
    """One action: its facts, what it paid, every version with who and why, and what providers printed."""
    detail = _find(action_id)
    paid = _payments(action_id)
    own = {one.name: one.id for one in list_own_accounts(current_context().database, current_user.id)}
    return render_template(
        "action.html",
        detail=detail,
        decisions=possible(detail.action),
        paid=paid[:LISTED],
        older=paid[LISTED - 1].id if len(paid) > LISTED else None,
        own=own,
    )


@needs(Right.ADMINISTRATOR)
def explain(action_id: int, record_id: int) -> ResponseReturnValue:
    """Everything that led to a payment of an action, whosever it is."""
    try:
        found = explain_payment(current_context().database, record_id)
    except UnknownPaymentError:
        abort(404)
    if found.payment.action_id != action_id:
        abort(404)
    return render_template("payment.html", own=None, found=found, one=found.payment)


@needs(Right.ADMINISTRATOR)
def ask_action(action_id: int, decision: str) -> ResponseReturnValue:
    """The question before a decision."""
    return _ask(action_id, decision)


@needs(Right.ADMINISTRATOR)
def do_action(action_id: int, decision: str) -> ResponseReturnValue:
    """Carry a decision out; what cannot be is said on the form."""
    detail = _find(action_id)
    _question, decide, afterwards = DECISIONS.get(decision) or abort(404)
    why = request.form.get("why", "").strip()[:LONGEST_WHY]
    try:
        decide(current_context(), action_id, by=who_asks(), why=why)
    except UsageError as refused:
        return _ask(action_id, decision, why=why, error=str(refused))
    flash(
        f"{detail.action.symbol}, ex {detail.action.ex_date}, {afterwards}. The next dividend run books what follows."
    )
    return redirect(url_for("pages.action", action_id=action_id))


def _ask(action_id: int, decision: str, *, why: str = "", error: str | None = None) -> ResponseReturnValue:
    detail = _find(action_id)
    question, _decide, _afterwards = DECISIONS.get(decision) or abort(404)
    page = render_template("ask_action.html", detail=detail, question=question, why=why, error=error)
    return page, 422 if error else 200


def _find(action_id: int) -> ActionDetail:
    try:
        return show_action(current_context().database, action_id)
    except UsageError:
        abort(404)


def _payments(action_id: int) -> list[PaymentView]:
    """What an action paid, the newest first: to everybody for administrators, to a viewer's own accounts for them."""
    database = current_context().database
    wanted = PaymentFilter(action_id=action_id, with_reversed=True, before_id=seen_last())
    if right_of_user() >= Right.ADMINISTRATOR:
        return list_payments(database, wanted, limit=LISTED + 1)
    own = [
        payment
        for account in list_own_accounts(database, current_user.id)
        for payment in list_payments(database, replace(wanted, account=account.name), limit=LISTED + 1)
    ]
    return sorted(own, key=lambda one: (one.value_date, one.id), reverse=True)


def seen_last() -> int | None:
    """The last row that was seen of a list; None where it begins, or for what names no row."""
    seen = request.args.get("before", type=int)
    return seen if seen is not None and 0 < seen <= BIGINT_MAX else None


def possible(one: ActionView) -> dict[str, str]:
    """The decisions that an action in its state is open to, and their words."""
    if one.is_cancelled:
        return {"reinstate": "Reinstate"}
    found = {"apply": "Apply"} if one.is_held else {}
    if one.told_otherwise:
        found["take-over"] = "Take over what is told now"
    if one.waits_for:
        found["ignore"] = "Ignore"
    return {**found, "cancel": "Cancel"}
