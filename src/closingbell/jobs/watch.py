"""Looking after runs: those whose owner died, and those that live but get nowhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from closingbell.domain.runs import RunEnd, RunStatus
from closingbell.jobs.context import JobContext
from closingbell.jobs.leases import STALL_GUARD
from closingbell.jobs.registry import Registry
from closingbell.stores import incidents, job_log, job_ticks, run_paid
from closingbell.stores.job_log import ActiveRun

RUN_ORPHANED = "run.orphaned"
RUN_STALLED = "run.stalled"

# A run that was cancelled as stalled has so long to stop before it is closed over its head.
_STALL_GRACE = timedelta(seconds=60)

_log = structlog.get_logger(__name__)


def watch_runs(context: JobContext, registry: Registry) -> set[str]:
    """Close dead and stalled runs; return the jobs that need looking after: theirs, and those people asked for.

    Reads only, unless there is something to close.
    """
    wall = context.wall.now()
    with context.database.read() as connection:
        active = job_log.load_active(connection)
        wanted = {request.job_name for request in job_ticks.load_requests(connection)}
    if any(job_log.why_orphaned(run, wall) for run in active):
        wanted |= _close_orphans(context, wall)
    for run in active:
        wanted |= _look_at_progress(context, run, wall)
    return wanted & registry.keys()


def _close_orphans(context: JobContext, wall: datetime) -> set[str]:
    now = context.clock.now()

    def unit(connection: Connection) -> list[ActiveRun]:
        orphans = job_log.close_orphans(connection, now=now, wall=wall)
        incidents.note_orphans(connection, orphans, now=now)
        return orphans

    closed = context.database.write_unit(unit)
    for run in closed:
        _log.warning(RUN_ORPHANED, run_id=run.id, job=run.job_name, owner=run.owner)
    return {run.job_name for run in closed}


def _look_at_progress(context: JobContext, run: ActiveRun, wall: datetime) -> set[str]:
    """Ask a run without progress to stop; close it when it does not."""
    stall_after = timedelta(seconds=context.settings.jobs_stall_after_s)
    if run.progress_at is None or wall - run.progress_at < stall_after:
        return set()
    now = context.clock.now()
    if run.cancel_requested_at is None:
        context.database.write_unit(lambda c: job_log.request_cancel(c, run.id, by=STALL_GUARD, now=wall))
        _log.warning(RUN_STALLED, run_id=run.id, job=run.job_name)
    elif wall - run.cancel_requested_at > _STALL_GRACE:
        end = RunEnd(run.id, run.job_name, RunStatus.FAILED, "stalled", "stalled", (), "no progress for too long")

        def unit(connection: Connection) -> bool:
            ours = job_log.close_stalled(connection, run, now=now)
            if ours:
                incidents.note_run(connection, replace(end, paid=run_paid.take_paid(connection, run.id)), now=now)
            return ours

        return {run.job_name} if context.database.write_unit(unit) else set()
    return set()
