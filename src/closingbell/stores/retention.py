"""Old runs and due times: which may go, removed in batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, or_, select

from closingbell.domain.runs import RunStatus
from closingbell.models import JobLog, JobLogItem, JobTick, OutboxMessage, RunPaid


@dataclass(frozen=True, slots=True)
class Limits:
    """Runs that succeeded, and those that did not, may go before these instants; ``keep_count`` of each job stay."""

    succeeded_before: datetime
    failed_before: datetime
    keep_count: int


def remove_runs(connection: Connection, limits: Limits, *, most: int) -> int:
    """Remove up to ``most`` finished runs with their items; return how many."""
    kept = _kept_ids(connection, limits.keep_count)
    row = JobLog
    old = or_(
        and_(row.status == RunStatus.SUCCESS, row.started_at < limits.succeeded_before),
        and_(row.status != RunStatus.RUNNING, row.started_at < limits.failed_before),
    )
    query = select(row.id).where(old, row.status != RunStatus.RUNNING, row.id.not_in(kept)).order_by(row.id).limit(most)
    ids = list(connection.scalars(query))
    if ids:
        connection.execute(delete(JobLogItem).where(JobLogItem.job_log_id.in_(ids)))
        connection.execute(delete(RunPaid).where(RunPaid.job_log_id.in_(ids)))
        connection.execute(delete(row).where(row.id.in_(ids)))
    return len(ids)


def remove_messages(connection: Connection, limits: Limits, *, most: int) -> int:
    """Remove up to ``most`` messages that left, or were given up, long ago; return how many. Waiting ones stay."""
    row = OutboxMessage
    old = or_(and_(row.is_sent.is_(True), row.done_at < limits.succeeded_before), row.done_at < limits.failed_before)
    ids = list(connection.scalars(select(row.id).where(row.done_at.is_not(None), old).order_by(row.id).limit(most)))
    if ids:
        connection.execute(delete(row).where(row.id.in_(ids)))
    return len(ids)


def _kept_ids(connection: Connection, keep_count: int) -> list[int]:
    """The newest runs of each job."""
    names = connection.scalars(select(JobLog.job_name).distinct()).all()
    kept: list[int] = []
    for name in names:
        newest = select(JobLog.id).where(JobLog.job_name == name).order_by(JobLog.id.desc()).limit(keep_count)
        kept += connection.scalars(newest)
    return kept


def remove_ticks(connection: Connection, limits: Limits, *, most: int) -> int:
    """Remove up to ``most`` old due times that no run points at; a job's newest stays: catch-up counts from it."""
    tick = JobTick
    newest = select(func.max(tick.fire_time).label("at"), tick.job_name).group_by(tick.job_name).subquery()
    query = (
        select(tick.id)
        .join(newest, newest.c.job_name == tick.job_name)
        .outerjoin(JobLog, JobLog.tick_id == tick.id)
        .where(tick.fire_time < limits.succeeded_before, tick.done_at.is_not(None), JobLog.id.is_(None))
        .where(tick.fire_time < newest.c.at)
        .limit(most)
    )
    ids = list(connection.scalars(query))
    if ids:
        connection.execute(delete(tick).where(tick.id.in_(ids)))
    return len(ids)
