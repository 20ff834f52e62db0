"""``closingbell quarantine``: bars set aside, and what a person decides on them."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from closingbell.commands.output import (
    Command,
    by_option,
    format_option,
    new_york,
    print_rows,
    symbols_option,
    why_option,
)
from closingbell.domain.money import plain
from closingbell.jobs.context import JobContext, current_context
from closingbell.queries.quarantine import QuarantinedView, list_quarantined
from closingbell.stores.marks import require_tables
from closingbell.usecases.quarantine import accept_bar, reject_bar


@click.group("quarantine")
def quarantine() -> None:
    """Show bars that were set aside, and decide on them."""


@quarantine.command("list", cls=Command)
@click.option("--all", "also_decided", is_flag=True, help="Also what is decided already.")
@symbols_option
@format_option
@with_appcontext
def list_(also_decided: bool, symbols: tuple[str, ...] | None, format_: str) -> None:
    """Show the bars that wait for a decision, with the rule that each broke."""
    found = list_quarantined(_ready_context().database, symbols=symbols, open_only=not also_decided)
    columns: dict[str, Callable[[QuarantinedView], str]] = {
        "id": lambda one: str(one.id),
        "symbol": lambda one: one.symbol,
        "date": lambda one: str(one.date),
        "open": lambda one: plain(one.open),
        "high": lambda one: plain(one.high),
        "low": lambda one: plain(one.low),
        "close": lambda one: plain(one.close),
        "volume": lambda one: str(one.volume),
        "close before": lambda one: "" if one.previous_close is None else plain(one.previous_close),
        "provider": lambda one: one.provider,
        "first seen": lambda one: new_york(one.first_seen_at),
        "last seen": lambda one: new_york(one.last_seen_at),
        "rule": lambda one: f"{one.rule}: {one.sentence}" + (f" ({one.note})" if _is_noted(one) else ""),
    }
    if also_decided:
        columns["decided"] = _decided
    empty = "no bar was ever set aside" if also_decided else "no bar waits for a decision"
    print_rows(found, format_, columns=columns, empty=empty)


def _is_noted(one: QuarantinedView) -> bool:
    """Whether something was said of a bar that still waits."""
    return one.released_at is None and one.note is not None


def _decided(one: QuarantinedView) -> str:
    return "" if one.released_at is None else f"{new_york(one.released_at)}: {one.note}"


@quarantine.command("accept", cls=Command)
@click.argument("row_id", metavar="ID", type=int)
@why_option
@by_option
@with_appcontext
def accept(row_id: int, why: str, by: str) -> None:
    """Store the bar after all: settled, and flagged as accepted."""
    found = accept_bar(_ready_context(), row_id, by=by, why=why)
    click.echo(f"the bar of {found.symbol} on {found.bar.date} is stored")


@quarantine.command("reject", cls=Command)
@click.argument("row_id", metavar="ID", type=int)
@why_option
@by_option
@with_appcontext
def reject(row_id: int, why: str, by: str) -> None:
    """Leave the bar out; the same values again are not shown again, and the session stays expected."""
    found = reject_bar(_ready_context(), row_id, by=by, why=why)
    click.echo(f"the bar of {found.symbol} on {found.bar.date} is rejected")


def _ready_context() -> JobContext:
    context = current_context()
    require_tables(context.database)
    return context
