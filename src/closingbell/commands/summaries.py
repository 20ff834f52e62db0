"""``closingbell rebuild-summaries``: what is kept of each company's bars, made anew from them."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command
from closingbell.jobs.context import current_context
from closingbell.stores import summaries
from closingbell.stores.marks import require_tables


@click.command("rebuild-summaries", cls=Command)
@with_appcontext
def rebuild_summaries() -> None:
    """Read every bar and put right what is kept of them; needed after bars were written by other means."""
    database = current_context().database
    require_tables(database)
    looked_at, drifted = summaries.rebuild_all(database)
    click.echo(f"{looked_at} companies looked at, {drifted} put right")
