"""What companies are called, from when on, and which of them are closed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import click
from flask.cli import with_appcontext

from closingbell.commands.output import (
    Command,
    DateType,
    by_option,
    format_option,
    print_rows,
    symbol_argument,
    symbols_option,
    why_option,
)
from closingbell.domain.symbols import DatedName
from closingbell.jobs.context import current_context
from closingbell.queries.symbols import SymbolView, list_symbols
from closingbell.stores.marks import require_tables
from closingbell.usecases import closing, renaming

_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.\-=^]{0,31}")


def _symbol(_ctx: click.Context, _param: click.Parameter, value: Any) -> str:
    symbol = str(value).strip().upper()
    if not _SYMBOL.fullmatch(symbol):
        raise click.BadParameter(f"{value!r} is not a symbol as Yahoo spells them, such as BRK-B or VOD.L")
    return symbol


@click.command("symbols", cls=Command)
@symbols_option
@format_option
@with_appcontext
def symbols_command(symbols: tuple[str, ...] | None, format_: str) -> None:
    """List companies with their names, past and present, their providers' names, and whether they are closed."""
    context = current_context()
    require_tables(context.database)
    columns: dict[str, Callable[[SymbolView], str]] = {
        "symbol": lambda one: one.symbol,
        "since": lambda one: str(one.since or ""),
        "before": lambda one: ", ".join(_dated(name) for name in one.names),
        "name": lambda one: one.name or "",
        "mic": lambda one: one.mic,
        "currency": lambda one: one.currency or "",
        "providers": lambda one: ", ".join(
            f"{n.provider}: {n.symbol} since {n.valid_from}" for n in one.provider_names
        ),
        "state": _state,
    }
    print_rows(list_symbols(context.database, symbols=symbols), format_, columns=columns, empty="no company is known")


def _dated(name: DatedName) -> str:
    """``FB until 2022-06-09``: the day from which it was called otherwise."""
    since = f" from {name.valid_from}" if name.valid_from else ""
    return f"{name.symbol}{since} until {name.valid_until}"


def _state(one: SymbolView) -> str:
    if one.closed_on is not None:
        return f"closed on {one.closed_on}: {one.closed_reason}"
    if one.unknown_count:
        return f"unknown to every provider on {one.unknown_count} session{'' if one.unknown_count == 1 else 's'}"
    return "open"


@click.command("rename-symbol", cls=Command)
@symbol_argument
@click.argument("new", metavar="NEW", callback=_symbol)
@click.option("--from", "since", type=DateType(), required=True, help="The first day of the new name, YYYY-MM-DD.")
@click.option("--why", default="renamed", metavar="TEXT", help="The reason, for those who look later.")
@by_option
@with_appcontext
def rename_symbol(symbol: str, new: str, since: date, why: str, by: str) -> None:
    """Call a company NEW from a day on: its history stays, orders under either name are its own."""
    done = renaming.rename_symbol(current_context(), symbol, new, since=since, by=by, why=why)
    click.echo(f"{done.old} is {done.new} from {done.since} on; either name finds it")
    if done.is_merged:
        click.echo(f"what was stored under {done.new} already belongs to it now")
    if done.is_reopened:
        click.echo(f"it had been closed because nobody knew {done.old}; it is open again")


@click.command("map-symbol", cls=Command)
@symbol_argument
@click.argument("provider")
@click.argument("name")
@click.option("--from", "since", type=DateType(), required=True, help="From which day on, YYYY-MM-DD.")
@click.option("--why", default="told by hand", metavar="TEXT", help="The reason, for those who look later.")
@by_option
@with_appcontext
def map_symbol(symbol: str, provider: str, name: str, since: date, why: str, by: str) -> None:
    """Say what PROVIDER calls a company from a day on, where that is not our own name."""
    renaming.set_provider_symbol(current_context(), symbol, provider, name, since=since, by=by, why=why)
    click.echo(f"{provider} is asked for {symbol} under the name {name} from {since} on")


@click.command("close-company", cls=Command)
@symbol_argument
@click.option("--on", type=DateType(), required=True, help="The last day of which a bar is expected, YYYY-MM-DD.")
@why_option
@by_option
@with_appcontext
def close_company(symbol: str, on: date, why: str, by: str) -> None:
    """Expect no bar of a company after a day, and ask for none: it was delisted, or taken over."""
    before = closing.close_company(current_context(), symbol, on=on, by=by, why=why)
    was = f"; before, it was closed on {before.closed_on}" if before.closed_on else ""
    click.echo(f"{before.symbol} is closed on {on}; its history stays{was}")


@click.command("reopen-company", cls=Command)
@symbol_argument
@why_option
@by_option
@with_appcontext
def reopen_company(symbol: str, why: str, by: str) -> None:
    """Expect and ask for the bars of a closed company again."""
    before = closing.reopen_company(current_context(), symbol, by=by, why=why)
    click.echo(f"{before.symbol}, closed on {before.closed_on}, is open again; the next run asks for what is missing")
