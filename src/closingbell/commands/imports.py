"""Bringing brokers' files in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, by_option, print_json
from closingbell.domain.money import plain
from closingbell.errors import ImportRefusedError, UsageError
from closingbell.jobs.context import current_context
from closingbell.usecases.import_file import ImportRequest, import_file, in_words, refusal
from closingbell.usecases.imports.decoding import SIZE_LIMIT
from closingbell.usecases.imports.entries import DOUBTFUL, LEFT_OUT
from closingbell.usecases.imports.formats import FORMATS
from closingbell.usecases.imports.mapping import read_mapping
from closingbell.usecases.imports.preview import ImportPreview, PreviewRow
from closingbell.utils.text import counted, listed

_ROWS_SHOWN = 20
_MAP_LIMIT = 1024 * 1024


def _as_lines(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """``12,17`` as (12, 17)."""
    parts = [part.strip() for part in (value or "").split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise click.BadParameter("give line numbers, as in --leave-out 12,17")
    return tuple(int(part) for part in parts)


@click.command("import", cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True))
@click.option("--account", required=True, help="The account it belongs to; made if it is not there.")
@click.option("--dry-run", is_flag=True, help="Read the file and say what would be added.")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.name for form in FORMATS]),
    help="The file's form, where its content does not tell.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="ISIN=SYMBOL",
    help="Our symbol for what the file calls a company; again for each, or a file with such lines.",
)
@click.option("--leave-out", callback=_as_lines, metavar="LINES", help="Lines not to be taken, as in 12,17.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@by_option
@with_appcontext
def import_(
    file: str, account: str, dry_run: bool, form: str | None, maps: tuple[str, ...], leave_out: tuple[int, ...],
    as_json: bool, by: str,
) -> None:  # fmt: skip
    """Import a broker's file: Ghostfolio, Portfolio Performance, Interactive Brokers, Trading 212, Degiro, Schwab.

    The form is recognised by itself. Either the whole file is taken or nothing; the same file again adds nothing.
    """
    request = ImportRequest(account, form, read_mapping(_map_lines(maps)), leave_out, dry_run, Path(file).name)
    preview = import_file(current_context(), _read(file), request, by=by)
    if as_json:
        print_json(preview)
    else:
        _print(preview, dry_run=dry_run)
    if preview.refused_count:
        raise refusal(preview)


def _read(file: str) -> bytes:
    path = Path(file)
    data = _start_of(path, SIZE_LIMIT + 1)
    if not data.strip():
        raise ImportRefusedError(f"{path.name} is empty")
    return data


def _start_of(path: Path, limit: int) -> bytes:
    with path.open("rb") as opened:
        return opened.read(limit)


def _map_lines(maps: Sequence[str]) -> list[str]:
    """``ISIN=SYMBOL`` as it is; anything else is a file of such lines."""
    lines: list[str] = []
    for text in maps:
        path = Path(text)
        if "=" in text:
            lines.append(text)
        elif path.is_file():
            lines += _start_of(path, _MAP_LIMIT).decode("utf-8-sig", errors="replace").splitlines()
        else:
            raise UsageError(f"{text!r} is neither ISIN=SYMBOL nor a file of such lines")
    return lines


def _print(preview: ImportPreview, *, dry_run: bool) -> None:
    for finding in preview.findings:
        if finding.weight in {LEFT_OUT, DOUBTFUL}:
            word = "left out" if finding.weight == LEFT_OUT else "doubtful"
            click.echo(f"{word}: {in_words(finding)}", err=True)
    if dry_run:
        _print_rows([row for row in preview.rows if row.is_new])
    verb = "would add" if dry_run else "added"
    new = " (new)" if preview.is_new_account else ""
    click.echo(
        f"{preview.format}: {verb} {counted(preview.added_count, 'order')} to account {preview.account}{new};"
        f" {preview.known_count} were there, {preview.left_out_count} left out, {preview.doubtful_count} doubtful"
    )
    if preview.type_counts:
        click.echo(", ".join(f"{count} {kind}" for kind, count in preview.type_counts.items()))
    if preview.mapping:
        click.echo("mapped: " + ", ".join(f"{name}={symbol}" for name, symbol in preview.mapping.items()))
    if preview.new_symbols:
        click.echo(f"new companies: {listed(preview.new_symbols)}")


def _print_rows(rows: Sequence[PreviewRow]) -> None:
    for row in rows[:_ROWS_SHOWN]:
        click.echo(f"line {row.lines[0]}: {_row_in_words(row)}")
    if len(rows) > _ROWS_SHOWN:
        click.echo(f"and {len(rows) - _ROWS_SHOWN} more; --json shows all")


def _row_in_words(row: PreviewRow) -> str:
    words = [str(row.trade_date), row.type]
    if row.quantity is not None:
        words.append(plain(row.quantity))
    if row.symbol:
        words.append(row.symbol)
    if row.price is not None:
        words.append(f"at {plain(row.price)}")
    if row.amount is not None:
        words.append(f"{plain(row.amount)} {row.currency}")
    if row.counter_amount is not None:
        words.append(f"for {plain(row.counter_amount)} {row.counter_currency}")
    words += [f"{name} {plain(cost)}" for name, cost in (("fee", row.fee), ("tax", row.tax)) if cost]
    return " ".join(words)
