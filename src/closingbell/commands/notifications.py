"""Reading what administrators were told."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option, format_option, new_york, print_rows
from closingbell.jobs.context import current_context
from closingbell.queries.notifications import NotificationView, list_notifications
from closingbell.stores.marks import require_tables
from closingbell.usecases.notifications import mark_read as mark_as_read


@click.command("notifications", cls=Command)
@click.option("--email", metavar="ADDRESS", help="Only what this person was told.")
@click.option("--all", "also_read", is_flag=True, help="Also what was read already.")
@click.option("--mark-read", is_flag=True, help="Mark what is shown as read.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many, newest first.")
@by_option
@format_option
@with_appcontext
def notifications(email: str | None, also_read: bool, mark_read: bool, limit: int, by: str, format_: str) -> None:
    """Show what people were told of failing jobs and have not read yet."""
    context = current_context()
    require_tables(context.database)
    found = list_notifications(context.database, email=email, unread_only=not also_read, limit=limit)
    columns: dict[str, Callable[[NotificationView], str]] = {
        "id": lambda one: str(one.id),
        "to": lambda one: one.email,
        "at": lambda one: new_york(one.created_at),
        "level": lambda one: one.level,
        "title": lambda one: one.title,
        "read": lambda one: new_york(one.read_at) if one.read_at else "",
        "body": lambda one: " ".join(one.body.split()),
    }
    print_rows(found, format_, columns=columns, empty="nothing" if also_read else "nothing unread")
    if mark_read:
        mark_as_read(context, [one.id for one in found], by=by)
