"""*Notifications*: a person's own messages."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.jobs.context import current_context
from closingbell.queries.notifications import has_any_of, list_notifications
from closingbell.usecases.notifications import mark_read
from closingbell.web.dividends import seen_last
from closingbell.web.guard import Right, needs, who_asks

SHOWN = 100


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule("/notifications", view_func=notifications)
    pages.add_url_rule("/notifications", "read_notifications", read_notifications, methods=["POST"])


@needs(Right.MEMBER)
def notifications() -> ResponseReturnValue:
    """The newest messages of the person who asks, or those after one that was shown."""
    unread_only, before = request.args.get("unread") == "1", seen_last()
    found = list_notifications(
        current_context().database, user_id=current_user.id, unread_only=unread_only, before_id=before, limit=SHOWN + 1
    )
    return render_template(
        "notifications.html",
        messages=found[:SHOWN],
        unread_only=unread_only,
        before=before,
        older=found[SHOWN - 1].id if len(found) > SHOWN else None,
    )


@needs(Right.MEMBER)
def read_notifications() -> ResponseReturnValue:
    """Mark one message, or all that were shown, as read; another person's is answered as one that does not exist."""
    sent, context = request.form.getlist("id")[:SHOWN], current_context()
    ids = [int(text) for text in sent if text.isdecimal() and text.isascii() and len(text) < 19]
    # Some of what was shown may have been cleared away meanwhile; the rest is marked all the same.
    if sent and not has_any_of(context.database, ids, user_id=current_user.id):
        abort(404)
    mark_read(context, ids, user_id=current_user.id, by=who_asks())
    # Back to the messages that were shown, not to the newest.
    unread = 1 if request.args.get("unread") == "1" else None
    return redirect(url_for("pages.notifications", unread=unread, before=seen_last()))
