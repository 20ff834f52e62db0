"""Bringing orders in."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option, format_option, print_json
from closingbell.errors import ImportRefusedError
from closingbell.jobs.context import current_context
from closingbell.usecases.import_orders import ImportResult
from closingbell.usecases.import_orders import import_orders as import_into
from closingbell.utils.text import counted, listed


@click.command("import-orders", cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True))
@click.option("--account", required=True, help="The account they belong to; made if it is not there.")
@click.option("--dry-run", is_flag=True, help="Check the file and say what would be added.")
@by_option
@format_option
@with_appcontext
def import_orders(file: str, account: str, dry_run: bool, by: str, format_: str) -> None:
    """Import orders from a CSV: date,type,symbol,quantity,price,fee,currency and optionally executed_at.

    Either all lines are taken or none; the same or an overlapping file again adds nothing.
    """
    context, name = current_context(), Path(file).name
    result = import_into(context, _read(file), account=account, dry_run=dry_run, name=name, by=by)
    if format_ == "json":
        print_json(result)
        return
    for remark in result.remarks:
        click.echo(f"note: {remark}", err=True)
    _print(result, dry_run=dry_run)


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ImportRefusedError(f"{file} is not UTF-8 text; save it as UTF-8 and try again") from None


def _print(result: ImportResult, *, dry_run: bool) -> None:
    verb = "would add" if dry_run else "added"
    new = " (new)" if result.is_new_account else ""
    click.echo(
        f"{verb} {counted(result.added_count, 'order')} to account {result.account}{new}; "
        f"{result.known_count} were there"
    )
    if result.new_symbols:
        click.echo(f"new companies: {listed(result.new_symbols)}")
