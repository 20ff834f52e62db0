"""The jobs: when they are due, how they last ended, whether anybody looks after them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from closingbell.domain.schedules import Sessions
from closingbell.errors import UnknownRunError
from closingbell.jobs.registry import Job, Registry
from closingbell.models import JobLog, JobRequest, SchedulerProcess
from closingbell.queries.runs import RunView, view_of
from closingbell.stores import job_ticks
from closingbell.stores.database import Database
from closingbell.stores.sessions import load_sessions_in_use
from closingbell.stores.upsert import table_of

# A due time that nobody recorded so long after it is overdue.
OVERDUE_AFTER = timedelta(minutes=5)
_LOOK_AHEAD = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=5), timedelta(days=30))


@dataclass(frozen=True, slots=True)
class JobView:
    """One job: its trigger in words, next fire time (None while paused), last run, switches, and whether it is late."""

    id: str
    name: str
    trigger: str
    next_run_time: datetime | None
    last_run: RunView | None
    last_success_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None
    paused_why: str | None
    is_disabled: bool
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class SchedulerView:
    """One scheduler process; alive while its heartbeat is young."""

    owner: str
    started_at: datetime
    heartbeat_at: datetime
    stopped_at: datetime | None
    is_alive: bool


@dataclass(frozen=True, slots=True)
class RequestView:
    """What somebody asked for, and the run that it led to."""

    id: int
    job_name: str
    requested_by: str
    requested_at: datetime
    done_at: datetime | None
    refused: str | None
    run_id: int | None


def list_jobs(database: Database, registry: Registry, *, now: datetime, disabled: frozenset[str]) -> list[JobView]:
    """Every registered job, by name."""
    with database.read() as connection:
        known = load_sessions_around(connection, now)
        return view_jobs(connection, registry, known, now=now, disabled=disabled)


def load_sessions_around(connection: Connection, now: datetime) -> Sessions:
    """The sessions that jobs are looked at with: those in which a due time may have been missed, and coming ones."""
    return load_sessions_in_use(connection, now - timedelta(days=10), last=now + _LOOK_AHEAD[-1])


def view_jobs(
    connection: Connection, registry: Registry, known: Sessions, *, now: datetime, disabled: frozenset[str]
) -> list[JobView]:
    """The same on a connection, with the sessions around now."""
    switches = job_ticks.load_switches(connection)
    return [
        _job_view(connection, job, switches.get(job.name), known, now=now, is_disabled=job.name in disabled)
        for job in sorted(registry.values(), key=lambda job: job.name)
    ]


def _job_view(
    connection: Connection,
    job: Job,
    switches: job_ticks.Switches | None,
    known: Sessions,
    *,
    now: datetime,
    is_disabled: bool,
) -> JobView:
    paused_at = switches.paused_at if switches else None
    idle = paused_at is not None or is_disabled
    return JobView(
        id=job.name,
        name=job.description,
        trigger=job.schedule.words,
        next_run_time=None if idle else next_fire_time(job, known, now),
        last_run=_last_run(connection, job.name),
        last_success_at=_last_success(connection, job.name),
        paused_at=paused_at,
        paused_by=switches.paused_by if switches else None,
        paused_why=switches.paused_why if switches else None,
        is_disabled=is_disabled,
        is_overdue=not idle and switches is not None and _is_overdue(connection, job, switches, known, now),
    )


def next_fire_time(job: Job, known: Sessions, now: datetime) -> datetime | None:
    """The next instant at which a job is due, holidays left out; None when no session is known that far ahead."""
    for ahead in _LOOK_AHEAD:
        due = [fire.at for fire in job.schedule.fire_times(now, now + ahead, known) if fire.skip is None]
        if due:
            return due[0]
    return None


def _last_run(connection: Connection, job_name: str) -> RunView | None:
    row = connection.execute(_newest_run(), {"job_name": job_name}).one_or_none()
    return None if row is None else view_of(row)


def _last_success(connection: Connection, job_name: str) -> datetime | None:
    found: datetime | None = connection.scalar(_newest_success(), {"job_name": job_name})
    return found


# Built once: each is asked for every job, by a page that many people leave open.
@cache
def _newest_run() -> Select[Any]:
    log = table_of(JobLog)
    of_job = select(log).where(log.c.job_name == bindparam("job_name"))
    return of_job.order_by(log.c.started_at.desc(), log.c.id.desc()).limit(1)


@cache
def _newest_success() -> Select[Any]:
    log = table_of(JobLog).c
    good = select(log.completed_at).where(log.job_name == bindparam("job_name"), log.status == "SUCCESS")
    return good.order_by(log.started_at.desc()).limit(1)


def _is_overdue(connection: Connection, job: Job, switches: job_ticks.Switches, known: Sessions, now: datetime) -> bool:
    """Whether a due time passed that nobody recorded."""
    last = job_ticks.last_fire_time(connection, job.name)
    since = max(last, switches.known_since) if last is not None else switches.known_since
    since = max(since, now - timedelta(days=9))
    return bool(job.schedule.fire_times(since, now - OVERDUE_AFTER, known))


def list_schedulers(database: Database, *, wall: datetime) -> list[SchedulerView]:
    """Schedulers that were seen within a day, the youngest heartbeat first."""
    row = table_of(SchedulerProcess).c
    query = (
        select(row.owner, row.started_at, row.heartbeat_at, row.stopped_at)
        .where(row.heartbeat_at > wall - timedelta(days=1))
        .order_by(row.heartbeat_at.desc())
    )
    with database.read() as connection:
        return [
            SchedulerView(*found, is_alive=found.stopped_at is None and wall - found.heartbeat_at < job_ticks.ALIVE_FOR)
            for found in connection.execute(query)
        ]


def find_run(database: Database, run_id: int) -> RunView:
    """One run; raise UnknownRunError when there is none of that number."""
    with database.read() as connection:
        row = connection.execute(select(JobLog).where(JobLog.id == run_id)).one_or_none()
    if row is None:
        raise UnknownRunError(f"no run has the number {run_id}")
    return view_of(row)


def find_request(database: Database, request_id: int) -> RequestView:
    """One request; raise UnknownRunError when there is none of that number."""
    row = JobRequest
    columns = (row.id, row.job_name, row.requested_by, row.requested_at, row.done_at, row.refused, row.run_id)
    with database.read() as connection:
        found = connection.execute(select(*columns).where(row.id == request_id)).one_or_none()
    if found is None:
        raise UnknownRunError(f"no request has the number {request_id}")
    return RequestView(*found)
