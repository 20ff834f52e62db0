"""Who may see and do what: every view says what it needs, and a view that says nothing lets nobody in."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeVar

from flask import Flask, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from flask_wtf import CSRFProtect

from closingbell.jobs.context import current_context
from closingbell.queries.own_accounts import OwnAccount, find_own_account
from closingbell.usecases.reasons import Actor, checked_name

V = TypeVar("V", bound=Callable[..., Any])

_NEEDS = "closingbell_needs"
# Blueprints whose every request goes through a guard of their own: tokens instead of sessions.
GUARDED_BY_THEMSELVES = frozenset({"scheduler_api", "api_metrics", "api_v1", "api_v1_document"})
# Flask-Security's views that a person reaches before being signed in; its others ask for a session themselves.
_SIGN_IN = frozenset(
    {
        "security.login",
        "security.two_factor_token_validation",
        "security.static",
        "static",
        "pages.static",
    }
)
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


class Right(IntEnum):
    """What a view needs; each includes those below it."""

    ANYBODY = 0
    MEMBER = 1
    VIEWER = 2
    ADMINISTRATOR = 3


def needs(right: Right) -> Callable[[V], V]:
    """Mark a view with the right that it needs."""

    def mark(view: V) -> V:
        setattr(view, _NEEDS, right)
        return view

    return mark


def right_of_view(app: Flask, endpoint: str) -> Right:
    """What an endpoint needs; one that does not say is the administrators' alone."""
    if endpoint in _SIGN_IN:
        return Right.ANYBODY
    view = app.view_functions[endpoint]
    found: Right = getattr(view, _NEEDS, Right.MEMBER if endpoint.startswith("security.") else Right.ADMINISTRATOR)
    return found


def right_of_user() -> Right:
    """What the person who asks may do."""
    if not current_user.is_authenticated or not current_user.is_active:
        return Right.ANYBODY
    if current_user.is_administrator:
        return Right.ADMINISTRATOR
    return Right.VIEWER if current_user.is_viewer else Right.MEMBER


def add_guard(app: Flask) -> None:
    """Ask before every request who asks, and whether the form they sent came from a page of ours."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    csrf = CSRFProtect(app)

    def guarded() -> ResponseReturnValue | None:
        refused = guard()
        if refused is None and request.method not in _LOOKING and not _guards_itself():
            csrf.protect()
        return refused

    app.before_request(guarded)


def _guards_itself() -> bool:
    return request.endpoint is not None and request.endpoint.partition(".")[0] in GUARDED_BY_THEMSELVES


def guard() -> ResponseReturnValue | None:
    """Let a request through, send it to the sign-in, or refuse it; runs before every view."""
    endpoint = request.endpoint
    if _guards_itself():
        return None
    needed = Right.MEMBER if endpoint is None else right_of_view(current_app, endpoint)
    given = right_of_user()
    if given >= needed:
        return None
    if given is not Right.ANYBODY:
        abort(403)
    if request.method not in _LOOKING:
        abort(401)
    # A stranger learns no more of an address that does not exist than of one that does.
    asked = request.full_path.rstrip("?")
    return redirect(url_for("security.login", next=asked if asked != "/" else None))


def who_asks() -> Actor:
    """The signed-in person, by whom and from where whatever they ask for is done."""
    return Actor(current_user.email, checked_name(f"web:{current_user.email}"), request.remote_addr)


def own_account(account_id: int) -> OwnAccount:
    """An account of the person who asks; another person's is answered as one that does not exist."""
    return find_own_account(current_context().database, account_id, current_user.id) or abort(404)
