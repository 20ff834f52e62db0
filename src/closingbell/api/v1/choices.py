"""What people decide on their dividends: suggestions, shares or cash, and payments that are rated again."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from closingbell.api.v1.asking import ID, NO_NUL, page
from closingbell.api.v1.books import ONE, find_account, find_payment, who_asks
from closingbell.api.v1.schemas import page_of, schema_of
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.elections import ElectionView, list_elections
from closingbell.queries.elections import view_of as election_of
from closingbell.queries.rerating import RerateView
from closingbell.queries.rerating import view_of as rerate_of
from closingbell.queries.suggestions import SuggestionView, list_suggestions
from closingbell.usecases.elections import elect
from closingbell.usecases.rerating import preview_rerate, rerate_payment
from closingbell.usecases.suggestions import accept_suggestions, dismiss_suggestions

# Views that show a person's own token that person's accounts alone.
OWN = frozenset({"show_suggestions", "decide_suggestion", "show_elections", "choose_election", "rerate"})
_CHOSEN = {"shares": True, "cash": False, "standing": None}


class _Suggestions(Schema):
    with_decided = fields.Boolean(
        load_default=False, metadata={"description": "Also those dismissed, or accepted and not booked yet."}
    )


class _Elections(Schema):
    with_closed = fields.Boolean(
        load_default=False, metadata={"description": "Also those whose election deadline is over."}
    )


class Decision(Schema):
    """A word on a suggestion: the next dividend run pays what is accepted, and what is dismissed is left alone."""

    decision = fields.String(required=True, validate=validate.OneOf(["accept", "dismiss"]))


class Choice(Schema):
    """Shares or cash of one dividend; ``standing`` has what the account always takes count again."""

    choice = fields.String(required=True, validate=validate.OneOf(list(_CHOSEN)))


class Rerating(Schema):
    """Why a payment is rated again; ``dry_run`` only shows what would change."""

    why = fields.String(load_default="", validate=[validate.Length(max=200), NO_NUL])
    dry_run = fields.Boolean(load_default=False)


def add_routes(api: Blueprint) -> None:
    """The routes of this module."""

    @api.route(f"{ONE}/suggestions")
    @api.arguments(_Suggestions, location="query")
    @api.response(200, page_of(SuggestionView))
    def show_suggestions(asked: dict[str, Any], account_id: int) -> dict[str, Any]:
        """Payments that wait for a person's word."""
        return page(_suggestions(find_account(account_id).name, with_decided=asked["with_decided"]), None)

    @api.route(f"{ONE}/suggestions/<{ID}:action_id>", methods=["POST"])
    @api.arguments(Decision)
    @api.response(200, schema_of(SuggestionView))
    def decide_suggestion(asked: dict[str, Any], account_id: int, action_id: int) -> SuggestionView:
        """Have a suggested payment booked by the next dividend run, or leave it alone."""
        name, decision = find_account(account_id).name, asked["decision"]
        decide = accept_suggestions if decision == "accept" else dismiss_suggestions
        decide(current_context(), name, [action_id], by=who_asks())
        one = next((one for one in _suggestions(name, with_decided=True) if one.action_id == action_id), None)
        if one is None:
            raise UsageError(f"corporate action {action_id} was booked for {name} a moment ago")
        return one

    @api.route(f"{ONE}/elections")
    @api.arguments(_Elections, location="query")
    @api.response(200, page_of(ElectionView))
    def show_elections(asked: dict[str, Any], account_id: int) -> dict[str, Any]:
        """Dividends that may be had in shares or in cash, until when, and what is taken."""
        context, name = current_context(), find_account(account_id).name
        now, with_closed = context.clock.now(), asked["with_closed"]
        return page(list_elections(context.database, now=now, account=name, with_closed=with_closed), None)

    @api.route(f"{ONE}/elections/<{ID}:action_id>", methods=["POST"])
    @api.arguments(Choice)
    @api.response(200, schema_of(ElectionView))
    def choose_election(asked: dict[str, Any], account_id: int, action_id: int) -> ElectionView:
        """Choose shares or cash for one dividend; after its deadline no choice is taken any more."""
        name = find_account(account_id).name
        chosen = _CHOSEN[asked["choice"]]
        return election_of(elect(current_context(), name, action_id, chosen, by=who_asks()))

    @api.route(f"/payments/<{ID}:payment_id>/rerate", methods=["POST"])
    @api.arguments(Rerating)
    @api.response(200, schema_of(RerateView))
    def rerate(asked: dict[str, Any], payment_id: int) -> RerateView:
        """Compute a booked payment anew with the rates that hold now; the next dividend run books it."""
        find_payment(payment_id)
        if asked["dry_run"]:
            return rerate_of(preview_rerate(current_context(), payment_id))
        why = asked["why"]
        return rerate_of(rerate_payment(current_context(), payment_id, by=who_asks(), why=why))


def _suggestions(account: str, *, with_decided: bool) -> list[SuggestionView]:
    context = current_context()
    now, lag = context.clock.now(), context.settings.dividend_pay_lag_days
    return list_suggestions(context.database, now=now, lag=lag, account=account, with_decided=with_decided)
