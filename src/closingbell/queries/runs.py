"""What ran, when, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from closingbell.models import JobLog
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, as JobLog has it; durations in seconds, None while it runs."""

    id: int
    job_name: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    duration_s: float | None
    stocks_processed: int
    stocks_failed: int
    message: str | None
    error_message: str | None
    trigger: str
    ended_by: str | None
    expected_count: int
    covered_count: int
    request_count: int


def recent_runs(database: Database, *, job_name: str | None = None, limit: int = 20) -> list[RunView]:
    """The newest runs first, of one job or of all."""
    query = select(JobLog).order_by(JobLog.started_at.desc(), JobLog.id.desc()).limit(limit)
    if job_name is not None:
        query = query.where(JobLog.job_name == job_name)
    with database.read() as connection:
        return [_view(row) for row in connection.execute(query)]


def _view(row: object) -> RunView:
    values = {name: getattr(row, name) for name in RunView.__slots__ if name != "duration_s"}
    ended: datetime | None = values["completed_at"]
    duration_s = (ended - values["started_at"]).total_seconds() if ended else None
    return RunView(duration_s=duration_s, **values)
