"""*Dividends*: corporate actions, those that wait for a person first, and what an administrator decides on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from closingbell.domain.actions import AcceptedAction
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.actions import ActionDetail, list_actions, show_action
from closingbell.usecases import actions as decisions
from closingbell.web.guard import Right, needs, note, who_asks

# So far back the list goes where nothing is asked for.
RECENT = timedelta(days=90)
LONGEST_WHY = 500

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
    pages.add_url_rule(f"{_ONE}/<decision>", "ask_action", ask_action)
    pages.add_url_rule(f"{_ONE}/<decision>", "do_action", do_action, methods=["POST"])


@needs(Right.VIEWER)
def show_dividends() -> ResponseReturnValue:
    """What waits for a person, then the recent and coming actions; or one company's, all of them."""
    context = current_context()
    symbol = request.args.get("symbol", "").strip().upper()
    error = None
    waiting, known = list_actions(context.database), []
    try:
        if symbol:
            known = list_actions(context.database, symbols=(symbol,), waiting_only=False)
        else:
            since = context.clock.now().date() - RECENT
            known = list_actions(context.database, first=since, waiting_only=False)
    except UsageError as refused:
        error = str(refused)
    known.sort(key=lambda one: (one.ex_date, one.symbol), reverse=True)
    page = render_template("dividends.html", waiting=waiting, known=known, symbol=symbol, error=error)
    return page, 422 if error else 200


@needs(Right.VIEWER)
def show_one(action_id: int) -> ResponseReturnValue:
    """One action: its facts, every version with who and why, and what providers printed."""
    detail = _find(action_id)
    return render_template("action.html", detail=detail, decisions=_possible(detail))


@needs(Right.ADMINISTRATOR)
def ask_action(action_id: int, decision: str) -> ResponseReturnValue:
    """The question before a decision."""
    return _ask(action_id, decision)


@needs(Right.ADMINISTRATOR)
def do_action(action_id: int, decision: str) -> ResponseReturnValue:
    """Carry a decision out, and write it down; what cannot be is said on the form."""
    detail = _find(action_id)
    _question, decide, afterwards = DECISIONS.get(decision) or abort(404)
    why = request.form.get("why", "").strip()[:LONGEST_WHY]
    try:
        decide(current_context(), action_id, by=who_asks(), why=why)
    except UsageError as refused:
        return _ask(action_id, decision, why=why, error=str(refused))
    note(f"{decision} corporate action", f"{action_id} {detail.action.symbol}", why)
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


def _possible(detail: ActionDetail) -> dict[str, str]:
    """The decisions that an action in its state is open to, and their words."""
    one = detail.action
    if one.is_cancelled:
        return {"reinstate": "Reinstate"}
    found = {"apply": "Apply"} if one.is_held else {}
    if one.told_otherwise:
        found["take-over"] = "Take over what is told now"
    if one.waits_for:
        found["ignore"] = "Ignore"
    return {**found, "cancel": "Cancel"}
