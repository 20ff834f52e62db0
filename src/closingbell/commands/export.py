"""Taking out what is stored."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TextIO

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, DateType, symbols_option, to_json
from closingbell.domain.market_zones import NEW_YORK
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.csv_text import csv_lines
from closingbell.queries.exports import COLUMNS, EXPORTS, Range, Row, export_rows
from closingbell.stores.marks import require_tables


@click.command("export", cls=Command)
@click.argument("what", type=click.Choice(sorted(EXPORTS)))
@click.option("--format", "format_", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@symbols_option
@click.option("--from", "first", type=DateType(), help="First date, YYYY-MM-DD.")
@click.option("--to", "last", type=DateType(), help="Last date, YYYY-MM-DD; for positions the date they are of.")
@with_appcontext
def export(what: str, format_: str, symbols: tuple[str, ...] | None, first: date | None, last: date | None) -> None:
    """Write prices (as traded), orders, positions, runs or corporate actions to standard output."""
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {first} lies after --to {last}")
    context = current_context()
    require_tables(context.database)
    today = context.clock.now().astimezone(NEW_YORK).date()
    rows = export_rows(context.database, what, Range(symbols, first, last), today=today)
    (_write_csv if format_ == "csv" else _write_json)(sys.stdout, COLUMNS[what], rows)


def _write_csv(out: TextIO, columns: Sequence[str], rows: Iterator[Row]) -> None:
    out.writelines(csv_lines(columns, ([row[name] for name in columns] for row in rows)))


def _write_json(out: TextIO, columns: Sequence[str], rows: Iterator[Row]) -> None:
    """A JSON array, one object a line."""
    separator = "[\n"
    for row in rows:
        out.write(separator + json.dumps({name: row[name] for name in columns}, default=to_json))
        separator = ",\n"
    out.write("[]\n" if separator == "[\n" else "\n]\n")
