"""``closingbell audit-log``: who did what, when, and from where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, DateType, format_option, new_york, print_rows
from closingbell.jobs.context import current_context
from closingbell.queries.audit_log import AuditFilter, AuditView, list_audit_log
from closingbell.stores.marks import require_tables


@click.command("audit-log", cls=Command)
@click.option("--who", help="Only of people with this in their name, as an e-mail or a part of it.")
@click.option("--action", help="Only actions with this in them, as in 'resume job'.")
@click.option("--target", help="Only on things with this in their name, as in AAPL.")
@click.option("--from", "first", type=DateType(), help="From this day in New York on.")
@click.option("--to", "last", type=DateType(), help="Up to this day.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, newest first.")
@format_option
@with_appcontext
def audit_log(
    who: str | None,
    action: str | None,
    target: str | None,
    first: date | None,
    last: date | None,
    limit: int,
    format_: str,
) -> None:
    """Show what people did, the newest first; entries are only ever added."""
    context = current_context()
    require_tables(context.database)
    wanted = AuditFilter(who, action, target, first, last)
    columns: dict[str, Callable[[AuditView], str]] = {
        "at": lambda one: new_york(one.at),
        "who": lambda one: one.who,
        "action": lambda one: one.action,
        "target": lambda one: one.target,
        "detail": lambda one: one.detail or "",
        "from": lambda one: one.address or "",
    }
    empty = "nobody did anything yet" if wanted == AuditFilter() else "nobody did anything like that"
    print_rows(list_audit_log(context.database, wanted, limit=limit), format_, columns=columns, empty=empty)
