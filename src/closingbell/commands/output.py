"""What all commands share: tables as text or JSON, errors as one line and an exit code, dates as arguments."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click

from closingbell.domain.market_zones import NEW_YORK
from closingbell.domain.money import parse_decimal, plain
from closingbell.domain.runs import RunStatus
from closingbell.errors import AlreadyRunningError, ClosingbellError, ImportRefusedError, UsageError
from closingbell.stores.database import failure_in_words

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PARTIAL = 3
EXIT_ALREADY_RUNNING = 4
# How a command ends that carried out a run.
EXIT_CODES = {RunStatus.SUCCESS: 0, RunStatus.FAILED: EXIT_FAILED, RunStatus.PARTIAL: EXIT_PARTIAL}


format_option = click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output form."
)


class Command(click.Command):
    """A command whose expected errors are one line on standard error and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ImportRefusedError as error:
            for reason in error.reasons:
                click.echo(reason, err=True)
            click.echo(f"error: {error}", err=True)
            ctx.exit(EXIT_FAILED)
        except ClosingbellError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(_exit_code(error))
        except Exception as error:
            words = failure_in_words(error)
            if words is None:
                raise
            click.echo(f"error: {words}", err=True)
            ctx.exit(EXIT_FAILED)


def _exit_code(error: ClosingbellError) -> int:
    if isinstance(error, AlreadyRunningError):
        return EXIT_ALREADY_RUNNING
    return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED


class DateType(click.ParamType[date]):
    """A calendar date, YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date; write YYYY-MM-DD", param, ctx)


class NumberType(click.ParamType[Decimal]):
    """A number with at most ``scale`` decimals."""

    def __init__(self, scale: int, *, name: str = "number") -> None:
        self.name = name
        self._scale = scale

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return value if isinstance(value, Decimal) else parse_decimal(value, self._scale)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def split_symbols(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """``aapl, MSFT`` as ("AAPL", "MSFT"); nothing as None."""
    if value is None:
        return None
    symbols = tuple(dict.fromkeys(part.strip().upper() for part in value.split(",") if part.strip()))
    if not symbols:
        raise click.BadParameter("name at least one symbol, as in --symbols AAPL,MSFT")
    return symbols


symbols_option = click.option(
    "--symbols", callback=split_symbols, metavar="A,B", help="Only these companies, by symbol."
)


def upper(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """A code or a symbol as it is stored."""
    return None if value is None else value.strip().upper()


symbol_argument = click.argument("symbol", callback=upper)
by_option = click.option("--by", default=getpass.getuser, help="Who decides; your user name unless told.")
why_option = click.option("--why", required=True, metavar="TEXT", help="The reason, for those who look later.")


def new_york(moment: datetime) -> str:
    """An instant in New York time, to the second."""
    return moment.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M:%S %Z")


def new_york_today(moment: datetime, *, now: datetime) -> str:
    """An instant of New York's today as its time alone, another with its date: ``16:52``, ``2012-12-01 09:00``."""
    there = moment.astimezone(NEW_YORK)
    same_day = there.date() == now.astimezone(NEW_YORK).date()
    return there.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M")


def to_json(value: Any) -> Any:
    """Numbers that must stay exact as text, instants with their offset."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """A value as JSON, indented unless told otherwise."""
    click.echo(json.dumps(value, default=to_json, indent=indent))


def print_rows(rows: Sequence[Any], format_: str, *, columns: Mapping[str, Callable[[Any], str]], empty: str) -> None:
    """Rows (dataclasses) as JSON, or as a table of ``columns``: heading -> text of a cell."""
    if format_ == "json":
        print_json([{field.name: getattr(row, field.name) for field in fields(row)} for row in rows])
    elif not rows:
        click.echo(empty)
    elif sys.stdout.isatty():
        _print_rich(rows, columns)
    else:
        _print_plain([list(columns), *[[cell(row) for cell in columns.values()] for row in rows]])


def _print_rich(rows: Sequence[Any], columns: Mapping[str, Callable[[Any], str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  (keeps it out of start-up; pipes never need it)
    from rich.table import Table  # noqa: PLC0415  (keeps it out of start-up)

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(cell(row) for cell in columns.values()))
    Console().print(table)


def _print_plain(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
