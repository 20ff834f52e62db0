"""What operators ask for: pause, resume, run now, cancel, retry."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.registry import Registry, find_job
from closingbell.stores import job_log, job_ticks, people
from closingbell.usecases.reasons import checked_name


def pause_job(context: JobContext, registry: Registry, name: str, *, by: str, why: str | None = None) -> bool:
    """Pause a job until it is resumed, restarts included; False when it is paused already."""
    job = find_job(registry, name)
    who, now = checked_name(by), context.clock.now()
    return context.database.write_unit(lambda c: job_ticks.store_paused(c, job.name, by=who, why=why, now=now))


def resume_job(context: JobContext, registry: Registry, name: str, *, by: str, address: str | None = None) -> bool:
    """Resume a paused job; due times that passed meanwhile stay skipped. False when it is not paused.

    Its pause is gone then with who paused it, so who resumed it is written down beside what else people did.
    """
    job, now = find_job(registry, name), context.wall.now()

    def unit(connection: Connection) -> bool:
        if not job_ticks.store_resumed(connection, job.name):
            return False
        people.store_action(connection, people.Action(checked_name(by), "resume job", job.name, None, address), now=now)
        return True

    return context.database.write_unit(unit)


def request_run(
    context: JobContext,
    registry: Registry,
    name: str,
    *,
    by: str,
    trigger: str = "manual",
    symbols: tuple[str, ...] | None = None,
    retry_of: int | None = None,
) -> int:
    """Ask for a run, which a scheduler takes up within seconds; return the request's id."""
    job = find_job(registry, name)
    if symbols and "symbols" not in job.arguments:
        raise UsageError(f"{job.name} does not take symbols")
    arguments: dict[str, Any] = {}
    if symbols:
        arguments["symbols"] = list(symbols)
    if retry_of is not None:
        arguments["retry_of"] = retry_of
    who, now = checked_name(by), context.clock.now()
    return context.database.write_unit(
        lambda c: job_ticks.store_request(c, job.name, arguments, trigger=trigger, by=who, now=now)
    )


def cancel_run(context: JobContext, run_id: int, *, by: str) -> bool:
    """Ask a running run to stop; False when it does not run. It stops within seconds, between two companies."""
    who, now = checked_name(by), context.wall.now()
    return context.database.write_unit(lambda c: job_log.request_cancel(c, run_id, by=who, now=now))


def failed_symbols(context: JobContext, run_id: int) -> tuple[str, tuple[str, ...]]:
    """The job and the failed companies of a finished run; raise UsageError when there is nothing to retry."""
    with context.database.read() as connection:
        found = job_log.load_failed(connection, run_id)
    if found is None:
        raise UsageError(f"no run has the number {run_id}")
    job_name, status, symbols = found
    if status == "RUNNING":
        raise UsageError(f"run {run_id} is still running; cancel it first, or wait")
    if not symbols:
        raise UsageError(f"run {run_id} has no failed companies to retry")
    return job_name, symbols


def retry_run(context: JobContext, registry: Registry, run_id: int, *, by: str, trigger: str = "retry") -> int:
    """Ask for a run over the failed companies of a finished one; return the request's id."""
    job_name, symbols = failed_symbols(context, run_id)
    # A refresh by hand is retried as the job that it is part of.
    name = job_name if job_name in registry else "daily_price_update"
    return request_run(context, registry, name, by=by, trigger=trigger, symbols=symbols, retry_of=run_id)
