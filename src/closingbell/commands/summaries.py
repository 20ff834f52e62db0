"""``closingbell rebuild-summaries``: what is kept of each company's bars, made anew from them."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option
from closingbell.jobs.context import current_context
from closingbell.stores import summaries
from closingbell.stores.marks import require_tables
from closingbell.usecases.audited import note_action


@click.command("rebuild-summaries", cls=Command)
@by_option
@with_appcontext
def rebuild_summaries(by: str) -> None:
    """Read every bar and put right what is kept of them; needed after bars were written by other means."""
    context = current_context()
    database = context.database
    require_tables(database)
    # Before it begins: it is many transactions.
    note_action(context, by, "rebuild summaries", "every company")
    looked_at, drifted = summaries.rebuild_all(database)
    click.echo(f"{looked_at} companies looked at, {drifted} put right")
