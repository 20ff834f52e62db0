"""JobLog: a run's beginning, its progress and its end, each fenced by its owner."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update

from closingbell.domain.runs import GOOD_OUTCOMES, ItemOutcome, RunStatus
from closingbell.models import JobLog, JobLogItem
from closingbell.stores import run_totals
from closingbell.stores.upsert import insert_one, upsert

# How long an owner is trusted after its last heartbeat, and how often it gives one.
LEASE = timedelta(seconds=60)
HEARTBEAT = timedelta(seconds=10)

_LONGEST_MESSAGE = 500
_ITEM_COLUMNS = (
    "company_id", "outcome", "expected_count", "covered_count", "stored_count", "changed_count",
    "quarantined_count", "error_kind", "message", "attempt_count", "duration_ms",
)  # fmt: skip


def this_process() -> str:
    """Host, process id and start of this process: who owns a run."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _started(pid: int) -> str:
    """When a process started, in the kernel's own units; a process id alone may be used again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def is_gone(owner: str) -> bool:
    """Whether ``owner`` was a process of this host that no longer runs; False when that cannot be known."""
    host, _, rest = owner.rpartition(":")[0].partition(":")
    started = owner.rpartition(":")[2]
    if host != socket.gethostname() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return started != "0" and _started(int(rest)) != started


@dataclass(frozen=True, slots=True)
class RunStart:
    """Everything that is known of a run when it begins; ``wall`` is real time, ``now`` the clock's."""

    job_name: str
    trigger: str
    owner: str
    now: datetime
    wall: datetime
    fire_time: datetime | None = None
    tick_id: int | None = None
    attempt: int = 1
    requested_by: str | None = None
    retry_of: int | None = None
    arguments: str | None = None


def start_run(connection: Connection, start: RunStart) -> int:
    """Write down that a run begins; return its id.

    The unique ``active_key`` lets one run of a job be active: an IntegrityError says that another one is, or that this
    attempt at the tick was begun by somebody else.
    """
    row = {
        "job_name": start.job_name,
        "status": RunStatus.RUNNING,
        "started_at": start.now,
        "trigger": start.trigger,
        "owner": start.owner,
        "heartbeat_at": start.wall,
        "lease_until": start.wall + LEASE,
        "progress_at": start.wall,
        "active_key": start.job_name,
        "tick_id": start.tick_id,
        "fire_time": start.fire_time,
        "attempt": start.attempt,
        "requested_by": start.requested_by,
        "retry_of": start.retry_of,
        "arguments": start.arguments,
    }
    return insert_one(connection, JobLog, row)


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run that is marked RUNNING."""

    id: int
    job_name: str
    owner: str
    lease_until: datetime | None
    progress_at: datetime | None
    cancel_requested_at: datetime | None


def load_active(connection: Connection) -> list[ActiveRun]:
    """Every run that is marked RUNNING."""
    row = JobLog
    query = select(row.id, row.job_name, row.owner, row.lease_until, row.progress_at, row.cancel_requested_at)
    return [ActiveRun(*found) for found in connection.execute(query.where(row.status == RunStatus.RUNNING))]


def is_active(connection: Connection, job_name: str, *, wall: datetime) -> bool:
    """Whether a run of this job goes on: marked RUNNING, by an owner that is not known to be dead."""
    return any(run.job_name == job_name and why_orphaned(run, wall) is None for run in load_active(connection))


def close_orphans(connection: Connection, *, now: datetime, wall: datetime) -> list[ActiveRun]:
    """Close runs whose owner is dead, as FAILED with the reason; return those that were ours to close.

    Dead is a process of this host that is gone, or one anywhere whose lease ran out. The conditional update lets one
    of several processes close each.
    """
    closed = []
    for run in load_active(connection):
        reason = why_orphaned(run, wall)
        if reason is None:
            continue
        if _close_orphan(connection, run, reason, now=now):
            closed.append(run)
    return closed


def _close_orphan(connection: Connection, run: ActiveRun, reason: str, *, now: datetime) -> bool:
    """Close a dead run; False when its owner gave a sign of life in the meantime, or somebody else closed it."""
    row = JobLog
    changed = connection.execute(
        update(row)
        .where(row.id == run.id, row.owner == run.owner, row.status == RunStatus.RUNNING)
        .where(row.lease_until == run.lease_until)
        .values(status=RunStatus.FAILED, completed_at=now, active_key=None, error_message=reason, ended_by="orphaned")
    )
    return _counted(connection, run.id, changed.rowcount)


def why_orphaned(run: ActiveRun, wall: datetime) -> str | None:
    """Why a run's owner is known to be dead, or None."""
    if is_gone(run.owner):
        return "the process that carried out this run ended before the run did; what it had stored is kept"
    if run.lease_until is not None and run.lease_until < wall:
        return "the process that carried out this run stopped renewing its lease; what it had stored is kept"
    return None


def renew_lease(connection: Connection, run_id: int, owner: str, *, wall: datetime) -> bool:
    """Renew the lease of a run; False when it is no longer this owner's."""
    row = JobLog
    changed = connection.execute(
        update(row)
        .where(row.id == run_id, row.owner == owner, row.status == RunStatus.RUNNING)
        .values(heartbeat_at=wall, lease_until=wall + LEASE)
    )
    return changed.rowcount == 1


def load_orders(connection: Connection, run_id: int, owner: str) -> tuple[bool, str | None]:
    """Whether a run is still this owner's, and who asked to cancel it, if anybody did."""
    row = connection.execute(
        select(JobLog.status, JobLog.owner, JobLog.cancel_requested_at, JobLog.cancel_requested_by).where(
            JobLog.id == run_id
        )
    ).one_or_none()
    if row is None or row.status != RunStatus.RUNNING or row.owner != owner:
        return False, None
    return True, (row.cancel_requested_by or "somebody") if row.cancel_requested_at else None


def request_cancel(connection: Connection, run_id: int, *, by: str, now: datetime) -> bool:
    """Ask a running run to stop; False when it does not run."""
    row = JobLog
    changed = connection.execute(
        update(row)
        .where(row.id == run_id, row.status == RunStatus.RUNNING, row.cancel_requested_at.is_(None))
        .values(cancel_requested_at=now, cancel_requested_by=by)
    )
    return changed.rowcount == 1


def load_job_name(connection: Connection, run_id: int) -> str | None:
    """Of which job a run is; None when there is none of that number."""
    found: str | None = connection.scalar(select(JobLog.job_name).where(JobLog.id == run_id))
    return found


def close_stalled(connection: Connection, run: ActiveRun, *, now: datetime) -> bool:
    """Close a run that neither progressed nor stopped when it was asked to."""
    reason = "no progress for too long, and the run did not stop when it was asked to; what it had stored is kept"
    return _close(connection, run.id, run.owner, RunStatus.FAILED, now, error_message=reason, ended_by="stalled")


def load_failed(connection: Connection, run_id: int) -> tuple[str, str, tuple[str, ...]] | None:
    """Job, status and failed symbols of a run; None when there is none of that number."""
    run = connection.execute(select(JobLog.job_name, JobLog.status).where(JobLog.id == run_id)).one_or_none()
    if run is None:
        return None
    good = [outcome.value for outcome in GOOD_OUTCOMES]
    query = select(JobLogItem.symbol).where(JobLogItem.job_log_id == run_id, JobLogItem.outcome.not_in(good))
    return run.job_name, run.status, tuple(connection.scalars(query.order_by(JobLogItem.symbol)))


def store_items(connection: Connection, run_id: int, items: Sequence[ItemOutcome]) -> None:
    """Write down how companies ended in a run; a symbol's later outcome replaces its earlier one."""
    rows = [
        {
            **{name: getattr(item, name) for name in _ITEM_COLUMNS},
            "job_log_id": run_id,
            "symbol": item.symbol,
            "outcome": item.outcome.value,
            "message": item.message[:_LONGEST_MESSAGE] if item.message else None,
        }
        for item in items
    ]
    upsert(connection, JobLogItem, rows, update=_ITEM_COLUMNS)


def store_progress(
    connection: Connection,
    run_id: int,
    owner: str,
    *,
    processed: int,
    failed: int,
    wall: datetime,
    planned: int | None = None,
    last_symbol: str | None = None,
    requests_by_provider: Mapping[str, int] | None = None,
) -> bool:
    """Write down how far a run is, ``last_symbol`` ended last; False when it is no longer this owner's."""
    values: dict[str, Any] = {"stocks_processed": processed, "stocks_failed": failed, "progress_at": wall}
    if planned is not None:
        values["stocks_planned"] = planned
    if last_symbol is not None:
        values["last_symbol"] = last_symbol
    if requests_by_provider:
        values |= _requests(requests_by_provider)
    changed = connection.execute(
        update(JobLog)
        .where(JobLog.id == run_id, JobLog.owner == owner, JobLog.status == RunStatus.RUNNING)
        .values(**values)
    )
    return changed.rowcount == 1


def finish_run(
    connection: Connection,
    run_id: int,
    owner: str,
    *,
    status: RunStatus,
    message: str,
    items: Sequence[ItemOutcome],
    error_message: str | None,
    requests_by_provider: Mapping[str, int],
    now: datetime,
    ended_by: str | None = None,
) -> bool:
    """Write down a run's end; False when somebody else closed it."""
    failed = sum(item.outcome not in GOOD_OUTCOMES for item in items)
    return _close(
        connection,
        run_id,
        owner,
        status,
        now,
        message=message,
        error_message=error_message,
        stocks_processed=len(items),
        stocks_failed=failed,
        expected_count=sum(item.expected_count for item in items),
        covered_count=sum(item.covered_count for item in items),
        ended_by=ended_by,
        **_requests(requests_by_provider),
    )


def _requests(by_provider: Mapping[str, int]) -> dict[str, Any]:
    """The columns that tell what was sent."""
    return {
        "request_count": sum(by_provider.values()),
        "requests_by_provider": json.dumps(dict(by_provider), sort_keys=True),
    }


def _close(connection: Connection, run_id: int, owner: str, status: RunStatus, now: datetime, **values: object) -> bool:
    changed = connection.execute(
        update(JobLog)
        .where(JobLog.id == run_id, JobLog.owner == owner, JobLog.status == RunStatus.RUNNING)
        .values(status=status, completed_at=now, active_key=None, **values)
    )
    return _counted(connection, run_id, changed.rowcount)


def _counted(connection: Connection, run_id: int, closed_count: int) -> bool:
    """Count a run that was closed here, in the transaction that closed it: so each counts once, whoever tried."""
    if closed_count == 1:
        run_totals.count_ended(connection, run_id)
    return closed_count == 1
