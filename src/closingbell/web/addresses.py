"""*Settings*: where a person's own messages go. An address holds secrets: none is shown again, not even a wrong one."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.domain.outbox import HOSTED, LEVELS
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.usecases import messages
from closingbell.usecases.messages import ShownAddress
from closingbell.web.guard import Right, needs, who_asks

_ADDRESSES = "/settings/addresses"
_ONE = f"{_ADDRESSES}/<int(max=9223372036854775807):address_id>"


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    for rule, view in (
        (f"{_ADDRESSES}/new", new_address),
        (f"{_ADDRESSES}/test", test_addresses),
        (f"{_ONE}/level", change_address),
        (f"{_ONE}/delete", delete_address),
    ):
        pages.add_url_rule(rule, view.__name__, view, methods=["GET", "POST"])


@needs(Right.MEMBER)
def new_address() -> ResponseReturnValue:
    """The form of an address, and adding it."""
    if request.method == "GET":
        return _form("new", level="warning")
    level = request.form.get("level", "")
    try:
        number = messages.add_address(
            current_context(), email=current_user.email, url=request.form.get("url", ""), level=level, by=who_asks()
        )
    except UsageError as refused:
        return _form("new", level=level, error=str(refused))
    kind = next(one.kind for one in _own() if one.id == number)
    flash(f"Messages of level {level} and above also go to {kind}. Send a test to see that they arrive.")
    return _back()


@needs(Right.MEMBER)
def change_address(address_id: int) -> ResponseReturnValue:
    """Choose from which level on messages go to an address."""
    one = _find(address_id)
    if request.method == "GET":
        return _form("level", one, level=one.level)
    level = request.form.get("level", "")
    try:
        messages.change_level(current_context(), address_id, level, user_id=current_user.id, by=who_asks())
    except UsageError as refused:
        return _form("level", one, level=one.level, error=str(refused))
    flash(f"{one.kind} is sent messages of level {level} and above.")
    return _back()


@needs(Right.MEMBER)
def delete_address(address_id: int) -> ResponseReturnValue:
    """The question before an address is removed, and removing it."""
    one = _find(address_id)
    if request.method == "GET":
        return _form("delete", one)
    try:
        messages.remove_address(current_context(), address_id, user_id=current_user.id, by=who_asks())
    except UsageError:
        abort(404)
    flash(f"{one.kind} is sent nothing more.")
    return _back()


@needs(Right.MEMBER)
def test_addresses() -> ResponseReturnValue:
    """The question before a test goes to one's own addresses, and asking for it; the scheduler's process sends it."""
    if request.method == "GET":
        return _form("test")
    try:
        messages.queue_own_test(current_context(), email=current_user.email, by=who_asks())
    except UsageError as refused:
        return _form("test", error=str(refused))
    flash("A test is on its way; a running scheduler sends it within seconds, and what became of it stands below.")
    return _back()


def _own() -> list[ShownAddress]:
    return messages.list_addresses(current_context(), user_id=current_user.id)


def _find(address_id: int) -> ShownAddress:
    return next((one for one in _own() if one.id == address_id), None) or abort(404)


def _form(
    what: str, one: ShownAddress | None = None, *, level: str = "", error: str | None = None
) -> ResponseReturnValue:
    page = render_template(
        "ask_address.html", what=what, one=one, own=_own(), level=level, levels=LEVELS, hosted=HOSTED, error=error
    )
    return page, 422 if error else 200


def _back() -> ResponseReturnValue:
    return redirect(url_for("pages.settings"))
