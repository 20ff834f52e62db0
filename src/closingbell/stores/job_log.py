"""JobLog: a run's beginning, its progress and its end, each fenced by its owner."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from closingbell.domain.runs import GOOD_OUTCOMES, ItemOutcome, RunStatus
from closingbell.models import JobLog, JobLogItem
from closingbell.stores.upsert import upsert

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


def start_run(connection: Connection, job_name: str, *, trigger: str, owner: str, now: datetime) -> int:
    """Write down that a run begins; return its id."""
    inserted = connection.execute(
        insert(JobLog).values(
            job_name=job_name,
            status=RunStatus.RUNNING,
            started_at=now,
            trigger=trigger,
            owner=owner,
            heartbeat_at=now,
        )
    )
    key = inserted.inserted_primary_key
    assert key is not None
    return int(key[0])


def close_orphans(connection: Connection, *, now: datetime) -> int:
    """Close runs whose process is gone, as FAILED with the reason; return how many were ours to close."""
    running = connection.execute(select(JobLog.id, JobLog.owner).where(JobLog.status == RunStatus.RUNNING)).all()
    count = 0
    for run_id, owner in running:
        if is_gone(owner):
            reason = "the process that carried out this run ended before the run did; what it had stored is kept"
            count += _close(connection, run_id, owner, RunStatus.FAILED, now, error_message=reason, ended_by="orphaned")
    return count


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
    connection: Connection, run_id: int, owner: str, *, processed: int, failed: int, now: datetime
) -> bool:
    """Write down how far a run is; False when it is no longer this owner's."""
    changed = connection.execute(
        update(JobLog)
        .where(JobLog.id == run_id, JobLog.owner == owner, JobLog.status == RunStatus.RUNNING)
        .values(stocks_processed=processed, stocks_failed=failed, heartbeat_at=now)
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
    request_count: int,
    now: datetime,
    ended_by: str | None = None,
) -> bool:
    """Write down a run's end; False when somebody else closed it."""
    failed = sum(item.outcome not in GOOD_OUTCOMES for item in items)
    return bool(
        _close(
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
            request_count=request_count,
            ended_by=ended_by,
        )
    )


def _close(connection: Connection, run_id: int, owner: str, status: RunStatus, now: datetime, **values: object) -> int:
    changed = connection.execute(
        update(JobLog)
        .where(JobLog.id == run_id, JobLog.owner == owner, JobLog.status == RunStatus.RUNNING)
        .values(status=status, completed_at=now, heartbeat_at=now, **values)
    )
    return changed.rowcount
