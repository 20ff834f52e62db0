"""``closingbell latest``: the newest price of every company."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, new_york, print_rows, symbols_option
from closingbell.domain.money import plain
from closingbell.jobs.context import current_context
from closingbell.queries.bars import LatestBar, load_latest_bars
from closingbell.stores.marks import require_tables

_COLUMNS: dict[str, Callable[[LatestBar], str]] = {
    "symbol": lambda row: row.symbol,
    "date": lambda row: str(row.date),
    "close": lambda row: plain(row.close),
    "currency": lambda row: row.currency or "",
    "state": lambda row: "provisional" if row.is_provisional else "settled",
    "provider": lambda row: row.provider,
    "fetched": lambda row: new_york(row.fetched_at),
}


@click.command("latest", cls=Command)
@symbols_option
@click.option("--format", "format_", type=click.Choice(["table", "json"]), default="table", show_default=True)
@with_appcontext
def latest(symbols: tuple[str, ...] | None, format_: str) -> None:
    """Print the newest close of every company that has one, as traded, or of the chosen ones."""
    context = current_context()
    require_tables(context.database)
    rows = load_latest_bars(context.database, symbols=symbols)
    print_rows(rows, format_, columns=_COLUMNS, empty="no price is stored yet")
