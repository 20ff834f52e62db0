"""``closingbell closures``: sessions that the calendar has and the exchange had not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, DateType, by_option, format_option, new_york, print_rows, upper
from closingbell.jobs.context import current_context
from closingbell.stores.marks import require_tables
from closingbell.stores.sessions import Closure
from closingbell.usecases.closures import add_closure, list_closures, remove_closure


@click.group("closures")
def closures() -> None:
    """Close a session that the calendar does not know to be closed, or take that back."""


@closures.command("add", cls=Command)
@click.argument("mic", callback=upper)
@click.argument("day", metavar="DATE", type=DateType())
@click.argument("reason")
@by_option
@with_appcontext
def add(mic: str, day: date, reason: str, by: str) -> None:
    """Close the session of MIC on DATE: from now on no bar of it is expected."""
    known = add_closure(current_context(), mic, day, reason=reason, by=by)
    if known is None:
        click.echo(f"{mic} is closed on {day}")
    else:
        whose = f" by {known.closed_by}" if known.closed_by else ""
        click.echo(f"{mic} was closed on {day} already{whose}: {known.reason}")


@closures.command("remove", cls=Command)
@click.argument("mic", callback=upper)
@click.argument("day", metavar="DATE", type=DateType())
@by_option
@with_appcontext
def remove(mic: str, day: date, by: str) -> None:
    """Open a closed session again: its bars are expected, and fetched by the next run."""
    changed = remove_closure(current_context(), mic, day, by=by)
    click.echo(f"{mic} is open on {day}" if changed else f"{mic} was not closed on {day}")


@closures.command("list", cls=Command)
@click.option("--mic", callback=upper, help="Only this exchange.")
@format_option
@with_appcontext
def list_(mic: str | None, format_: str) -> None:
    """Show the sessions that people closed."""
    context = current_context()
    require_tables(context.database)
    columns: dict[str, Callable[[Closure], str]] = {
        "mic": lambda closure: closure.mic,
        "date": lambda closure: str(closure.date),
        "reason": lambda closure: closure.reason or "",
        "by": lambda closure: closure.closed_by or "",
        "at": lambda closure: new_york(closure.closed_at) if closure.closed_at else "",
    }
    print_rows(list_closures(context, mic), format_, columns=columns, empty="nobody closed a session")
