"""Looking at runs."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from closingbell.commands.output import Command, format_option, new_york, print_rows
from closingbell.jobs.context import current_context
from closingbell.queries.runs import RunView, recent_runs
from closingbell.stores.marks import require_tables


@click.command("view-job-logs", cls=Command)
@click.option("--job-name", help="Only runs of this job.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many, newest first.")
@format_option
@with_appcontext
def view_job_logs(job_name: str | None, limit: int, format_: str) -> None:
    """Show what ran, when, and how it ended."""
    database = current_context().database
    require_tables(database)
    runs = recent_runs(database, job_name=job_name, limit=limit)
    columns: dict[str, Callable[[RunView], str]] = {
        "id": lambda run: str(run.id),
        "job": lambda run: run.job_name,
        "status": lambda run: run.status,
        "started": lambda run: new_york(run.started_at),
        "took": _took,
        "stocks": lambda run: str(run.stocks_processed),
        "failed": lambda run: str(run.stocks_failed),
        "message": _message,
    }
    empty = (
        f"no run of {job_name} yet" if job_name else "no run yet; start one with: closingbell run-daily-price-update"
    )
    print_rows(runs, format_, columns=columns, empty=empty)


def _took(run: RunView) -> str:
    return "running" if run.duration_s is None else f"{run.duration_s:.1f} s"


def _message(run: RunView) -> str:
    if run.error_message and run.message:
        return f"{run.message}. {run.error_message}"
    return run.error_message or run.message or ""
