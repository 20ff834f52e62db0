"""Due times and what became of them; requests; operators' switches; who is alive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import CompoundSelect, Connection, func, literal, select, union_all, update

from closingbell.models import JobLog, JobRequest, JobState, JobTick, SchedulerProcess
from closingbell.stores.upsert import insert_one, table_of, upsert

MOST_ATTEMPTS = 3
# A scheduler's heartbeat comes with each pulse of 30 seconds.
ALIVE_FOR = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class WaitingTick:
    """A due time that has no finished run yet, and how often one was begun."""

    id: int
    job_name: str
    fire_time: datetime
    attempt_count: int


@dataclass(frozen=True, slots=True)
class Request:
    """A run that somebody asked for."""

    id: int
    job_name: str
    arguments: dict[str, Any]
    trigger: str
    requested_by: str


@dataclass(frozen=True, slots=True)
class Switches:
    """A job's switches."""

    known_since: datetime
    schedule: str
    paused_at: datetime | None
    paused_by: str | None
    paused_why: str | None


def last_fire_time(connection: Connection, job_name: str) -> datetime | None:
    """The newest due time of a job that is recorded."""
    row = table_of(JobTick).c
    newest: datetime | None = connection.scalar(select(func.max(row.fire_time)).where(row.job_name == job_name))
    return newest


def load_last_fires(connection: Connection, job_names: tuple[str, ...]) -> dict[str, datetime]:
    """The newest recorded due time of each of these jobs; one without any is left out."""
    found = connection.execute(_newest_fires(job_names)) if job_names else ()
    return {name: at for name, at in found if at is not None}


# Built once: it is asked by a page that many people leave open.
@cache
def _newest_fires(job_names: tuple[str, ...]) -> CompoundSelect[Any]:
    row = table_of(JobTick).c
    # Each is one look at an index, which grouping all due times by their job would not be on every database.
    return union_all(
        *(select(literal(name), func.max(row.fire_time)).where(row.job_name == name) for name in job_names)
    )


def store_ticks(
    connection: Connection, job_name: str, decided: Sequence[tuple[datetime, str | None]], *, now: datetime
) -> None:
    """Record due times, each with the reason why it is skipped or None; one that another process recorded stays."""
    rows = [
        {
            "job_name": job_name,
            "fire_time": fire_time,
            "skipped": skipped,
            "decided_at": now,
            "done_at": now if skipped is not None else None,
        }
        for fire_time, skipped in decided
    ]
    upsert(connection, JobTick, rows, key=("job_name", "fire_time"))


def load_waiting(connection: Connection, job_name: str) -> list[WaitingTick]:
    """Due times that wait for a run or for another attempt, oldest first."""
    tick, log = JobTick, JobLog
    attempts = (
        select(func.coalesce(func.max(log.attempt), 0)).where(log.tick_id == tick.id).correlate(tick).scalar_subquery()
    )
    query = (
        select(tick.id, tick.job_name, tick.fire_time, attempts)
        .where(tick.job_name == job_name, tick.done_at.is_(None))
        .order_by(tick.fire_time)
    )
    return [WaitingTick(*row) for row in connection.execute(query)]


def claim_tick(connection: Connection, tick_id: int) -> bool:
    """Make sure that a due time still waits, in the transaction that begins its run; False when it was done meanwhile.

    An update that changes nothing: unlike a read it sees what others committed at any isolation level, or fails.
    """
    changed = connection.execute(
        update(JobTick).where(JobTick.id == tick_id, JobTick.done_at.is_(None)).values(done_at=None)
    )
    return changed.rowcount == 1


def finish_tick(connection: Connection, tick_id: int, *, now: datetime, skipped: str | None = None) -> bool:
    """A due time needs no further run; False when somebody else said so first."""
    changed = connection.execute(
        update(JobTick)
        .where(JobTick.id == tick_id, JobTick.done_at.is_(None))
        .values(done_at=now, **({"skipped": skipped} if skipped else {}))
    )
    return changed.rowcount == 1


def finish_unbegun(connection: Connection, tick_id: int, *, now: datetime, skipped: str) -> bool:
    """Skip a due time for which nobody began a run; False when somebody did, or said so first."""
    begun = select(JobLog.id).where(JobLog.tick_id == tick_id).exists()
    changed = connection.execute(
        update(JobTick)
        .where(JobTick.id == tick_id, JobTick.done_at.is_(None), ~begun)
        .values(done_at=now, skipped=skipped)
    )
    return changed.rowcount == 1


def store_request(
    connection: Connection, job_name: str, arguments: dict[str, Any], *, trigger: str, by: str, now: datetime
) -> int:
    """Write down that somebody asks for a run; return the request's id."""
    row = {"job_name": job_name, "arguments": json.dumps(arguments), "trigger": trigger}
    return insert_one(connection, JobRequest, {**row, "requested_by": by, "requested_at": now})


def load_requests(connection: Connection) -> list[Request]:
    """Requests that nobody took up yet, oldest first."""
    row = JobRequest
    query = select(row.id, row.job_name, row.arguments, row.trigger, row.requested_by)
    rows = connection.execute(query.where(row.done_at.is_(None)).order_by(row.id))
    return [Request(i, name, json.loads(arguments), trigger, by) for i, name, arguments, trigger, by in rows]


def finish_request(
    connection: Connection, request_id: int, *, now: datetime, run_id: int | None = None, refused: str | None = None
) -> bool:
    """A request led to a run or was refused; False when somebody else took it up first."""
    changed = connection.execute(
        update(JobRequest)
        .where(JobRequest.id == request_id, JobRequest.done_at.is_(None))
        .values(done_at=now, run_id=run_id, refused=refused)
    )
    return changed.rowcount == 1


def load_switches(connection: Connection) -> dict[str, Switches]:
    """The switches of every job that a scheduler ever knew."""
    row = table_of(JobState).c
    columns = (row.job_name, row.known_since, row.schedule, row.paused_at, row.paused_by, row.paused_why)
    return {found[0]: Switches(*found[1:]) for found in connection.execute(select(*columns))}


def store_known(connection: Connection, job_name: str, schedule: str, *, now: datetime) -> None:
    """Write down since when a job is known with this schedule; due times before that are nobody's."""
    row = {"job_name": job_name, "known_since": now, "schedule": schedule}
    upsert(connection, JobState, [row])
    connection.execute(
        update(JobState)
        .where(JobState.job_name == job_name, JobState.schedule != schedule)
        .values(schedule=schedule, known_since=now)
    )


def store_paused(connection: Connection, job_name: str, *, by: str, why: str | None, now: datetime) -> bool:
    """Pause a job; False when it is paused already."""
    row = {"job_name": job_name, "known_since": now, "schedule": ""}
    upsert(connection, JobState, [row])
    changed = connection.execute(
        update(JobState)
        .where(JobState.job_name == job_name, JobState.paused_at.is_(None))
        .values(paused_at=now, paused_by=by, paused_why=why)
    )
    return changed.rowcount == 1


def store_resumed(connection: Connection, job_name: str) -> bool:
    """Resume a job; False when it is not paused."""
    changed = connection.execute(
        update(JobState)
        .where(JobState.job_name == job_name, JobState.paused_at.is_not(None))
        .values(paused_at=None, paused_by=None, paused_why=None)
    )
    return changed.rowcount == 1


def store_alive(connection: Connection, owner: str, *, wall: datetime) -> list[str]:
    """A scheduler's heartbeat, in real time; return every scheduler that is alive, in the same order for all."""
    row = {"owner": owner, "started_at": wall, "heartbeat_at": wall, "stopped_at": None}
    upsert(connection, SchedulerProcess, [row], update=("heartbeat_at", "stopped_at"))
    process = SchedulerProcess
    alive = select(process.owner).where(process.stopped_at.is_(None), process.heartbeat_at > wall - ALIVE_FOR)
    return sorted({owner, *connection.scalars(alive)})


def store_stopped(connection: Connection, owner: str, *, wall: datetime) -> None:
    """A scheduler stopped as it should."""
    row = SchedulerProcess
    connection.execute(update(row).where(row.owner == owner).values(stopped_at=wall))
