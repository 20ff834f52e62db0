"""What operators ask for: pause, resume, run now, cancel, retry."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.registry import Registry, find_job
from closingbell.stores import job_log, job_ticks
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name


def pause_job(
    context: JobContext, registry: Registry, name: str, *, by: By, why: str | None = None
) -> bool:  # fmt: skip
    """Pause a job until it is resumed, restarts included; False when it is paused already."""
    job = find_job(registry, name)
    who, now = checked_name(by), context.clock.now()

    def unit(connection: Connection) -> bool:
        if not job_ticks.store_paused(connection, job.name, by=who, why=why, now=now):
            return False
        write_down(context, connection, by, "pause job", job.name, why)
        return True

    return context.database.write_unit(unit)


def resume_job(context: JobContext, registry: Registry, name: str, *, by: By) -> bool:
    """Resume a paused job; due times that passed meanwhile stay skipped. False when it is not paused."""
    job = find_job(registry, name)

    def unit(connection: Connection) -> bool:
        if not job_ticks.store_resumed(connection, job.name):
            return False
        write_down(context, connection, by, "resume job", job.name)
        return True

    return context.database.write_unit(unit)


def request_run(
    context: JobContext,
    registry: Registry,
    name: str,
    *,
    by: By,
    trigger: str = "manual",
    symbols: tuple[str, ...] | None = None,
) -> int:
    """Ask for a run, which a scheduler takes up within seconds; return the request's id."""
    job = find_job(registry, name)
    if symbols and "symbols" not in job.arguments:
        raise UsageError(f"{job.name} does not take symbols")
    arguments: dict[str, Any] = {"symbols": list(symbols)} if symbols else {}
    who, now = checked_name(by), context.clock.now()

    def unit(connection: Connection) -> int:
        number = job_ticks.store_request(connection, job.name, arguments, trigger=trigger, by=who, now=now)
        write_down(context, connection, by, "run job", job.name, ", ".join((f"request {number}", *(symbols or ()))))
        return number

    return context.database.write_unit(unit)


def cancel_run(context: JobContext, run_id: int, *, by: By) -> bool:
    """Ask a running run to stop; False when it does not run. It stops within seconds, between two companies."""
    who, now = checked_name(by), context.wall.now()

    def unit(connection: Connection) -> bool:
        if not job_log.request_cancel(connection, run_id, by=who, now=now):
            return False
        write_down(context, connection, by, "cancel run", _named(run_id, job_log.load_job_name(connection, run_id)))
        return True

    return context.database.write_unit(unit)


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


def retry_run(
    context: JobContext, registry: Registry, run_id: int, *, by: By, trigger: str = "retry"
) -> int:  # fmt: skip
    """Ask for a run over the failed companies of a finished one; return the request's id."""
    job_name, symbols = failed_symbols(context, run_id)
    # A refresh by hand is retried as the job that it is part of.
    job = find_job(registry, job_name if job_name in registry else "daily_price_update")
    if "symbols" not in job.arguments:
        raise UsageError(f"{job.name} does not take symbols")
    arguments = {"symbols": list(symbols), "retry_of": run_id}
    who, now = checked_name(by), context.clock.now()

    def unit(connection: Connection) -> int:
        number = job_ticks.store_request(connection, job.name, arguments, trigger=trigger, by=who, now=now)
        write_down(context, connection, by, "retry run", _named(run_id, job_name), f"request {number}")
        return number

    return context.database.write_unit(unit)


def _named(run_id: int, job_name: str | None) -> str:
    return f"run {run_id} of {job_name}"
