"""*Tokens*: a person's own programs: made, shown once, revoked; administrators revoke anybody's."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.stores.people import TokenView
from closingbell.usecases import people
from closingbell.web.guard import Right, needs, right_of_user, who_asks

_TOKENS = "/settings/tokens"
_REVOKE = f"{_TOKENS}/<int(max=9223372036854775807):token_id>/revoke"


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule(_TOKENS, "tokens", show_tokens)
    pages.add_url_rule(_TOKENS, "make_token", make_token, methods=["POST"])
    pages.add_url_rule(_REVOKE, "ask_revocation", ask_revocation)
    pages.add_url_rule(_REVOKE, "revoke_token", revoke_token, methods=["POST"])


@needs(Right.MEMBER)
def show_tokens() -> ResponseReturnValue:
    """The tokens of the person who asks; administrators see the others too."""
    return _page()


@needs(Right.MEMBER)
def make_token() -> ResponseReturnValue:
    """Make a token of one's own; its text is in this answer and nowhere else."""
    name, scope = request.form.get("name", ""), request.form.get("scope", "")
    try:
        text = people.create_token(current_context(), name=name, scope=scope, by=who_asks(), user_id=current_user.id)
    except UsageError as refused:
        return _page(error=str(refused), name=name, scope=scope), 422
    return _page(made=text, name=name.strip())


@needs(Right.MEMBER)
def ask_revocation(token_id: int) -> ResponseReturnValue:
    """The question before a token is revoked."""
    return render_template("ask_token.html", token=_token(token_id))


@needs(Right.MEMBER)
def revoke_token(token_id: int) -> ResponseReturnValue:
    """Revoke a token for good; one that is revoked stays so."""
    token = _token(token_id)
    people.revoke_token_of(current_context(), token, by=who_asks())
    flash(f"The token {token.name} is revoked.")
    return redirect(url_for("pages.tokens"))


def _page(*, error: str | None = None, made: str | None = None, name: str = "", scope: str = "") -> str:
    context = current_context()
    others: list[TokenView] = []
    if right_of_user() >= Right.ADMINISTRATOR:
        others = [one for one in people.list_tokens(context) if one.owner != current_user.email]
    return render_template(
        "tokens.html",
        own=people.list_tokens(context, user_id=current_user.id),
        others=others,
        error=error,
        made=made,
        name=name,
        scope=scope,
    )


def _token(token_id: int) -> TokenView:
    """The token of that id; another person's is answered as one that does not exist, but for administrators."""
    is_theirs = right_of_user() < Right.ADMINISTRATOR
    return people.find_token(current_context(), token_id, user_id=current_user.id if is_theirs else None) or abort(404)
