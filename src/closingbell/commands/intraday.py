"""Prices while a session runs: refreshed by hand, and the companies that are watched."""

from __future__ import annotations

import getpass
import sys
from dataclasses import replace

import click
from flask.cli import with_appcontext

from closingbell.commands.output import (
    EXIT_CODES,
    Command,
    by_option,
    format_option,
    new_york,
    print_json,
    print_rows,
    symbols_option,
)
from closingbell.commands.prices import ask_scheduler, print_summary, progress_on_screen
from closingbell.jobs.context import JobContext, current_context
from closingbell.jobs.intraday_planning import plan_intraday
from closingbell.jobs.intraday_updater import INTRADAY_PRICE_REFRESH, run_intraday_refresh
from closingbell.jobs.runner import Occasion
from closingbell.stores.marks import claim_origin
from closingbell.usecases import watching
from closingbell.utils.logs import configure_logs
from closingbell.utils.text import counted

_COLUMNS = {
    "symbol": lambda row: row.symbol,
    "exchange": lambda row: row.mic,
    "since": lambda row: new_york(row.watched_at),
    "by": lambda row: row.watched_by,
}

_symbols_argument = click.argument("symbols", nargs=-1, metavar="SYMBOL...")


@click.command("run-intraday-refresh", cls=Command)
@symbols_option
@click.option("--dry-run", is_flag=True, help="Print what would be fetched and stop.")
@click.option("--wait/--no-wait", default=True, help="Run it here and now, or ask a scheduler to.", show_default=True)
@format_option
@with_appcontext
def run_intraday_refresh_command(symbols: tuple[str, ...] | None, dry_run: bool, wait: bool, format_: str) -> None:
    """Bring today's prices up to date for what was traded in the last 24 hours or is watched."""
    context = current_context()
    configure_logs(context.settings.log_level, context.settings.log_format)
    if dry_run:
        _print_plan(context, symbols, format_)
    elif wait:
        _run(context, symbols, format_)
    else:
        ask_scheduler(INTRADAY_PRICE_REFRESH, symbols, format_)


def _run(context: JobContext, symbols: tuple[str, ...] | None, format_: str) -> None:
    occasion = Occasion(requested_by=getpass.getuser(), arguments={"symbols": list(symbols)} if symbols else {})
    with progress_on_screen(quiet=format_ == "json") as progress:
        summary = run_intraday_refresh(replace(context, progress=progress), occasion, symbols=symbols)
    if format_ == "json":
        print_json(summary)
    else:
        print_summary(summary)
    sys.exit(EXIT_CODES[summary.status])


def _print_plan(context: JobContext, symbols: tuple[str, ...] | None, format_: str) -> None:
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    plan = plan_intraday(context, symbols, moment=context.clock.now())
    if format_ == "json":
        print_json([{"symbol": item.symbol, "since": item.since} for item in plan.items])
        return
    for item in plan.items:
        click.echo(item.in_words())
    for skipped in plan.skipped:
        click.echo(f"{skipped.symbol}  skipped: {skipped.message}")
    click.echo(f"would send {counted(len(plan.items), 'request')}" if plan.items else plan.why_nothing)


@click.command("watch", cls=Command)
@_symbols_argument
@by_option
@format_option
@with_appcontext
def watch_command(symbols: tuple[str, ...], by: str, format_: str) -> None:
    """Follow companies through every session; without a symbol, list those that are followed."""
    context = current_context()
    if symbols:
        chosen = _upper(symbols)
        _say(chosen, watching.watch(context, chosen, by=by), "watched", "watched already", format_)
    else:
        print_rows(watching.load_watched(context), format_, columns=_COLUMNS, empty="no company is watched")


@click.command("unwatch", cls=Command)
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@by_option
@format_option
@with_appcontext
def unwatch_command(symbols: tuple[str, ...], by: str, format_: str) -> None:
    """Stop following companies; what is stored of them stays."""
    chosen = _upper(symbols)
    _say(chosen, watching.unwatch(current_context(), chosen, by=by), "no longer watched", "was not watched", format_)


def _upper(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """The symbols in capitals, each once; commas between them are fine too."""
    parts = (part.strip().upper() for symbol in symbols for part in symbol.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _say(chosen: tuple[str, ...], changed: list[str], done: str, not_done: str, format_: str) -> None:
    if format_ == "json":
        print_json([{"symbol": symbol, "changed": symbol in changed} for symbol in chosen])
        return
    for symbol in chosen:
        click.echo(f"{symbol}: {done if symbol in changed else not_done}")
