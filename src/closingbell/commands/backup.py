"""``closingbell backup`` and ``closingbell restore``."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.jobs import list_schedulers
from closingbell.stores.marks import require_tables
from closingbell.usecases import backup as copies
from closingbell.usecases.backup import Backup


@click.command("backup", cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@with_appcontext
def backup(file: Path, force: bool) -> None:
    """Write the whole database to FILE, as it is at this moment; everything may go on running."""
    try:
        made = copies.back_up(current_context(), file, force=force)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror}); nothing was left behind") from None
    click.echo(f"{file}: {_in_words(made)}, {file.stat().st_size:,} bytes")


@click.command("restore", cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Read the whole file and say what it holds.")
@with_appcontext
def restore(file: Path, dry_run: bool) -> None:
    """Fill a new database with what FILE holds; it may be of another kind than the one it was taken from."""
    if dry_run:
        click.echo(f"{file}: whole; {_in_words(copies.examine(file))}")
        return
    context = current_context()
    require_tables(context.database)
    if any(one.is_alive for one in list_schedulers(context.database, wall=context.wall.now())):
        raise UsageError("a scheduler is at work on this database; end it first")
    found = copies.restore(context, file)
    click.echo(f"restored {_in_words(found)}; see: closingbell audit, closingbell doctor")


def _in_words(one: Backup) -> str:
    filled = sum(count > 0 for count in one.row_counts.values())
    return (
        f"{one.row_count:,} rows of {filled} tables, made {one.made_at[:19]} on {one.kind} "
        f"by closingbell {one.version} (revision {one.revision})"
    )
