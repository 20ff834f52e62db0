"""Looking at the jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click
from flask import current_app
from flask.cli import with_appcontext

from closingbell.commands.output import Command, format_option, new_york, print_json, print_rows
from closingbell.jobs.context import JOBS_EXTENSION, JobContext, current_context
from closingbell.jobs.registry import Registry
from closingbell.queries.jobs import JobView, SchedulerView
from closingbell.queries.jobs import list_jobs as load_jobs
from closingbell.queries.jobs import list_schedulers as load_schedulers
from closingbell.stores.marks import require_tables


@click.command("list-jobs", cls=Command)
@format_option
@with_appcontext
def list_jobs(format_: str) -> None:
    """List the jobs: trigger, next run, how the last one ended, and whether a scheduler is alive."""
    context = current_context()
    require_tables(context.database)
    disabled = context.settings.disabled_jobs
    registry: Registry = current_app.extensions[JOBS_EXTENSION]
    jobs = load_jobs(context.database, registry, now=context.clock.now(), disabled=disabled)
    schedulers = load_schedulers(context.database, wall=context.wall.now())
    if format_ == "json":
        print_json({"jobs": jobs, "schedulers": schedulers})
        return
    now = context.clock.now()
    columns: dict[str, Callable[[JobView], str]] = {
        "id": lambda job: job.id,
        "name": lambda job: job.name,
        "trigger": lambda job: job.trigger,
        "next run (New York)": lambda job: _next_in(new_york, job),
        "next run (here)": lambda job: _next_in(local_time, job),
        "last run": lambda job: _last(job, now),
        "state": _state,
    }
    print_rows(jobs, format_, columns=columns, empty="no job is registered")
    click.echo(_alive_in_words(context, schedulers))


def _next_in(place: Callable[[datetime], str], job: JobView) -> str:
    if job.next_run_time is not None:
        return place(job.next_run_time)
    return "" if job.paused_at is not None or job.is_disabled else "known once a scheduler runs"


def local_time(moment: datetime) -> str:
    """An instant in this machine's time."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def ago(moment: datetime, now: datetime) -> str:
    """How long ago an instant was, in one unit."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def _last(job: JobView, now: datetime) -> str:
    run = job.last_run
    if run is None:
        return "never"
    took = "" if run.duration_s is None else f", took {run.duration_s:.1f} s"
    return f"{run.status} {ago(run.started_at, now)}{took}"


def _state(job: JobView) -> str:
    if job.paused_at is not None:
        return f"paused by {job.paused_by}" + (f": {job.paused_why}" if job.paused_why else "")
    if job.is_disabled:
        return "disabled by JOBS_DISABLED"
    return "OVERDUE" if job.is_overdue else "on"


def _alive_in_words(context: JobContext, schedulers: list[SchedulerView]) -> str:
    alive = sum(scheduler.is_alive for scheduler in schedulers)
    if alive:
        return f"{alive} scheduler(s) alive"
    if not context.settings.jobs_enabled:
        return "no scheduler: JOBS_ENABLED is false here"
    return "no scheduler is alive; start one with: closingbell run-scheduler"
