"""Looking at runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, format_option, new_york, print_json, print_rows
from closingbell.domain.market_zones import NEW_YORK
from closingbell.domain.runs import requests_in_words
from closingbell.jobs.context import current_context
from closingbell.queries.runs import RunFilter, RunView, recent_runs
from closingbell.stores.database import Database
from closingbell.stores.marks import require_tables

_FOLLOW_EVERY_S = 1.0
_SINCE_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType[datetime]):
    """An instant: a date, a time with its offset, or a span back from now such as 90m, 24h or 7d."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        number, unit = value[:-1], value[-1:]
        if number.isdigit() and unit in _SINCE_UNITS:
            return current_context().clock.now() - timedelta(**{_SINCE_UNITS[unit]: int(number)})
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date, a time with its offset, or a span such as 24h or 7d", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)


@click.command("view-job-logs", cls=Command)
@click.option("--job-name", help="Only runs of this job.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many, newest first.")
@click.option("--status", type=click.Choice(["RUNNING", "SUCCESS", "PARTIAL", "FAILED"], case_sensitive=False))
@click.option("--since", help="Only runs begun since: 2012-11-30, or a span back from now such as 24h or 7d.")
@click.option("--symbol", help="Only runs in which this company was asked for.")
@click.option("--follow", is_flag=True, help="Go on with new runs as they begin and end; Ctrl-C ends it.")
@format_option
@with_appcontext
def view_job_logs(
    job_name: str | None,
    limit: int,
    status: str | None,
    since: str | None,
    symbol: str | None,
    follow: bool,
    format_: str,
) -> None:
    """Show what ran, when, and how it ended."""
    database = current_context().database
    require_tables(database)
    wanted = RunFilter(
        job_name,
        status.upper() if status else None,
        Since().convert(since, None, click.get_current_context()) if since else None,
        symbol.upper() if symbol else None,
    )
    if follow:
        _follow(database, wanted, limit, format_)
        return
    runs = recent_runs(database, wanted, limit=limit)
    empty = (
        f"no run of {job_name} yet" if job_name else "no run yet; start one with: closingbell run-daily-price-update"
    )
    print_rows(runs, format_, columns=COLUMNS, empty=empty if wanted == RunFilter(job_name) else "no such run")


def _follow(database: Database, wanted: RunFilter, limit: int, format_: str) -> None:
    """Print each run when it is first seen and again when its status changes."""
    seen: dict[int, str] = {}
    while True:
        for run in reversed(recent_runs(database, wanted, limit=limit)):
            if seen.get(run.id) != run.status:
                seen[run.id] = run.status
                _print_line(run, format_)
        try:
            time.sleep(_FOLLOW_EVERY_S)
        except KeyboardInterrupt:
            return


def _print_line(run: RunView, format_: str) -> None:
    if format_ == "json":
        print_json(run, indent=None)
    else:
        click.echo("  ".join(cell(run) for cell in COLUMNS.values()).rstrip())


def _took(run: RunView) -> str:
    return "running" if run.duration_s is None else f"{run.duration_s:.1f} s"


def _trigger(run: RunView) -> str:
    """Why it ran, how late, and at which attempt."""
    words = run.trigger
    if run.late_s is not None and run.late_s >= 60:
        words += f", {_span(run.late_s)} late"
    return words + (f", attempt {run.attempt}" if run.attempt > 1 else "")


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def _message(run: RunView) -> str:
    told = [run.message or "", run.error_message or ""]
    if run.message and run.error_message and run.error_message in run.message:
        told.pop()
    return ". ".join(part for part in told if part)


COLUMNS: dict[str, Callable[[RunView], str]] = {
    "id": lambda run: str(run.id),
    "job": lambda run: run.job_name,
    "status": lambda run: run.status + (f" ({run.ended_by})" if run.ended_by else ""),
    "started": lambda run: new_york(run.started_at),
    "took": _took,
    "trigger": _trigger,
    "stocks": lambda run: str(run.stocks_processed),
    "failed": lambda run: str(run.stocks_failed),
    "requests": lambda run: requests_in_words(run.request_count, run.requests_by_provider),
    "message": _message,
}
