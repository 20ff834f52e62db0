"""The jobs: when they are due, how they last ended, whether anybody looks after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Connection, select, union_all

from closingbell.domain.runs import RunStatus
from closingbell.domain.schedules import LOOK_AHEAD, Sessions, next_fire_time
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


class Outcome(NamedTuple):
    """One run of a job: how it ended, and when; ``completed_at`` is None while it runs."""

    run_id: int
    job_name: str
    status: str
    started_at: datetime
    completed_at: datetime | None


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
    return load_sessions_in_use(connection, now - timedelta(days=10), last=now + LOOK_AHEAD[-1])


def view_jobs(
    connection: Connection, registry: Registry, known: Sessions, *, now: datetime, disabled: frozenset[str]
) -> list[JobView]:
    """The same on a connection, with the sessions around now."""
    return [job for job, _ in view_jobs_with_outcomes(connection, registry, known, 1, now=now, disabled=disabled)]


def view_jobs_with_outcomes(
    connection: Connection,
    registry: Registry,
    known: Sessions,
    count: int,
    *,
    now: datetime,
    disabled: frozenset[str],
) -> list[tuple[JobView, Sequence[Outcome]]]:
    """Every job, each with how its newest runs ended: so many of them, the newest first."""
    switches = job_ticks.load_switches(connection)
    names = tuple(sorted(registry))
    outcomes = _load_outcomes(connection, names, count)
    seen = _Seen(
        newest=_load_newest_runs(connection, outcomes),
        succeeded_at=_load_succeeded(connection, outcomes),
        last_fires=job_ticks.load_last_fires(connection, tuple(switches)),
        switches=switches,
    )
    return [
        (_job_view(registry[name], seen, known, now=now, is_disabled=name in disabled), outcomes[name])
        for name in names
    ]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is stored of all jobs, each by the job's name; a job without such a thing is left out."""

    newest: Mapping[str, RunView]
    succeeded_at: Mapping[str, datetime | None]
    last_fires: Mapping[str, datetime]
    switches: Mapping[str, job_ticks.Switches]


def _job_view(job: Job, seen: _Seen, known: Sessions, *, now: datetime, is_disabled: bool) -> JobView:
    switches = seen.switches.get(job.name)
    paused_at = switches.paused_at if switches else None
    idle = paused_at is not None or is_disabled
    last_fire = seen.last_fires.get(job.name)
    return JobView(
        id=job.name,
        name=job.description,
        trigger=job.schedule.words,
        next_run_time=None if idle else next_fire_time(job.schedule, known, now=now),
        last_run=seen.newest.get(job.name),
        last_success_at=seen.succeeded_at.get(job.name),
        paused_at=paused_at,
        paused_by=switches.paused_by if switches else None,
        paused_why=switches.paused_why if switches else None,
        is_disabled=is_disabled,
        is_overdue=not idle and switches is not None and _is_overdue(job, switches, last_fire, known, now),
    )


def _load_outcomes(connection: Connection, names: tuple[str, ...], count: int) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {name: [] for name in names}
    rows = [Outcome(*row) for row in connection.execute(_newest(names, count))] if names else []
    for one in sorted(rows, key=lambda one: (one.started_at, one.run_id), reverse=True):
        found[one.job_name].append(one)
    return found


def _load_newest_runs(connection: Connection, outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, RunView]:
    log = table_of(JobLog)
    ids = [of_job[0].run_id for of_job in outcomes.values() if of_job]
    return {row.job_name: view_of(row) for row in connection.execute(select(log).where(log.c.id.in_(ids)))}


def _load_succeeded(connection: Connection, outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, datetime | None]:
    """When each job last succeeded; most did so among their newest runs, and only for the others is more looked at."""
    found = {
        name: next((one.completed_at for one in of_job if one.status == RunStatus.SUCCESS), None)
        for name, of_job in outcomes.items()
    }
    others = tuple(name for name, at in found.items() if at is None and outcomes[name])
    if others:
        found |= {row[1]: row[4] for row in connection.execute(_newest(others, 1, RunStatus.SUCCESS))}
    return found


# Built once: it is asked by a page that many people leave open.
@cache
def _newest(names: tuple[str, ...], count: int, status: str | None = None) -> CompoundSelect[Any]:
    """The newest runs of each job, so many of each; each job's are found by an index."""
    log = table_of(JobLog).c
    query = select(log.id, log.job_name, log.status, log.started_at, log.completed_at)
    if status is not None:
        query = query.where(log.status == status)
    newest = query.order_by(log.started_at.desc(), log.id.desc()).limit(count)
    return union_all(*(select(newest.where(log.job_name == name).subquery()) for name in names))


def _is_overdue(
    job: Job, switches: job_ticks.Switches, last_fire: datetime | None, known: Sessions, now: datetime
) -> bool:
    """Whether a due time passed that nobody recorded."""
    since = max(last_fire, switches.known_since) if last_fire is not None else switches.known_since
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
