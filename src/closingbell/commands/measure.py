"""``closingbell measure-checks``: what the checks catch of recorded bad answers, and what they should not have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from closingbell.commands.output import EXIT_FAILED, Command, format_option, print_json, print_rows
from closingbell.usecases.measure_checks import CONTROL, Alarm, Measured, Miss, Share, measure_checks


@click.command("measure-checks", cls=Command)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@format_option
def measure_checks_command(folder: Path, format_: str) -> None:
    """Run the checks over recorded bad answers; exit code 1 when they miss more than a tenth of a column."""
    measured = measure_checks(folder)
    (_print_json if format_ == "json" else _print_text)(measured)
    if not measured.is_enough:
        sys.exit(EXIT_FAILED)


def _print_json(measured: Measured) -> None:
    totals = {name: getattr(measured, name) for name in ("alarm_count", "good_count", "is_enough")}
    print_json({**asdict(measured), **totals})


def _print_text(measured: Measured) -> None:
    columns: dict[str, Callable[[Share], str]] = {
        "category": lambda share: share.category,
        "column": lambda share: share.column,
        "bad": lambda share: str(share.bad_count),
        "set aside": lambda share: str(share.caught_count),
        "share": lambda share: _percent(share.caught_count, share.bad_count),
        "good": lambda share: str(share.good_count),
        "false alarms": lambda share: str(share.alarm_count),
        "share of good": lambda share: _percent(share.alarm_count, share.good_count),
        "wrong after repair": lambda share: str(share.left_count),
        "enough": lambda share: "yes" if share.is_enough else "NO",
    }
    told = [share for share in measured.shares if _says_something(share)]
    print_rows(told, "text", columns=columns, empty="no recorded answer")
    alarms, good = measured.alarm_count, measured.good_count
    click.echo(f"\nfalse alarms: {alarms} of {good} good cells ({_percent(alarms, good)})")
    _print_alarms(measured.alarms)
    _print_misses(measured.misses)


def _says_something(share: Share) -> bool:
    return bool(share.bad_count or share.alarm_count or share.left_count or share.category == CONTROL)


def _print_alarms(alarms: list[Alarm]) -> None:
    """Good cells that were set aside."""
    columns: dict[str, Callable[[Alarm], str]] = {
        "good cells set aside": lambda alarm: str(alarm.cell_count),
        "rule": lambda alarm: alarm.rule,
        "why": lambda alarm: "wrong after repair" if alarm.is_left else "false alarm",
        "file": lambda alarm: alarm.file,
        "from": lambda alarm: alarm.first.isoformat(),
        "to": lambda alarm: alarm.last.isoformat(),
    }
    click.echo()
    print_rows(alarms, "text", columns=columns, empty="no good cell was set aside")


def _print_misses(misses: list[Miss]) -> None:
    """Bad cells that were not set aside."""
    columns: dict[str, Callable[[Miss], str]] = {
        "bad cell missed": lambda miss: miss.column,
        "date": lambda miss: miss.date.isoformat(),
        "file": lambda miss: miss.file,
    }
    click.echo()
    print_rows(misses, "text", columns=columns, empty="no bad cell was missed")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"
