"""``closingbell audit``: the proof that the books are what their facts say."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from closingbell.commands.output import EXIT_FAILED, Command, format_option, print_json
from closingbell.jobs.context import current_context
from closingbell.queries.audit import audit
from closingbell.stores.marks import require_tables


@click.command("audit", cls=Command)
@format_option
@with_appcontext
def audit_command(format_: str) -> None:
    """Compute everything that is kept anew from the facts, and name every difference; exits 1 when there is one."""
    context = current_context()
    require_tables(context.database)
    lines = audit(context.database, now=context.clock.now(), lag=context.settings.dividend_pay_lag_days)
    if format_ == "json":
        print_json(lines)
    else:
        for line in lines:
            click.echo(f"{'ok' if not line.difference_count else 'WRONG':6}{line.what}")
            for difference in line.differences:
                click.echo(f"      {difference}")
            unnamed = line.difference_count - len(line.differences)
            if unnamed:
                click.echo(f"      and {unnamed} more")
    sys.exit(EXIT_FAILED if any(line.difference_count for line in lines) else 0)
