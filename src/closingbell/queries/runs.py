"""What ran, when, and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import aliased

from closingbell.models import CompanySymbol, JobLog, JobLogItem
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, as JobLog has it; ``duration_s`` is None while it runs, ``late_s`` how late it began.

    ``requests_by_provider`` sums to ``request_count``; it is empty for runs of a time when it was not written down.
    """

    id: int
    job_name: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    duration_s: float | None
    late_s: float | None
    stocks_planned: int | None
    stocks_processed: int
    stocks_failed: int
    message: str | None
    error_message: str | None
    trigger: str
    requested_by: str | None
    fire_time: datetime | None
    attempt: int
    ended_by: str | None
    retry_of: int | None
    cancel_requested_at: datetime | None
    expected_count: int
    covered_count: int
    request_count: int
    requests_by_provider: dict[str, int]


@dataclass(frozen=True, slots=True)
class ItemView:
    """How one company ended in a run."""

    symbol: str
    outcome: str
    expected_count: int
    covered_count: int
    stored_count: int
    changed_count: int
    quarantined_count: int
    error_kind: str | None
    message: str | None
    attempt_count: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to show; None is any."""

    job_name: str | None = None
    status: str | None = None
    since: datetime | None = None
    symbol: str | None = None
    after_id: int | None = None
    before_id: int | None = None


def recent_runs(database: Database, wanted: RunFilter | None = None, *, limit: int = 20) -> list[RunView]:
    """The newest runs first."""
    chosen = wanted or RunFilter()
    query = select(JobLog).order_by(JobLog.started_at.desc(), JobLog.id.desc()).limit(limit)
    if chosen.job_name is not None:
        query = query.where(JobLog.job_name == chosen.job_name)
    if chosen.status is not None:
        query = query.where(JobLog.status == chosen.status)
    if chosen.since is not None:
        query = query.where(JobLog.started_at >= chosen.since)
    if chosen.after_id is not None:
        query = query.where(JobLog.id > chosen.after_id)
    if chosen.before_id is not None:
        query = query.where(JobLog.id < chosen.before_id)
    if chosen.symbol is not None:
        with_symbol = select(JobLogItem.job_log_id).where(
            or_(JobLogItem.symbol == chosen.symbol, JobLogItem.symbol.in_(_names_of(chosen.symbol)))
        )
        query = query.where(JobLog.id.in_(with_symbol))
    with database.read() as connection:
        return [view_of(row) for row in connection.execute(query)]


def _names_of(symbol: str) -> Select[str]:
    """Every name of a company that has or had this one: what ran under a former name is found too."""
    name, known = CompanySymbol, aliased(CompanySymbol)
    return select(name.symbol).join(known, known.company_id == name.company_id).where(known.symbol == symbol)


def run_items(database: Database, run_id: int) -> list[ItemView]:
    """How each company ended in a run, by symbol."""
    row = JobLogItem
    columns = [getattr(row, name) for name in ItemView.__slots__]
    with database.read() as connection:
        query = select(*columns).where(row.job_log_id == run_id).order_by(row.symbol)
        return [ItemView(*found) for found in connection.execute(query)]


def view_of(row: Any) -> RunView:
    """A JobLog row as a RunView."""
    derived = ("duration_s", "late_s", "requests_by_provider")
    values = {name: getattr(row, name) for name in RunView.__slots__ if name not in derived}
    ended, fire_time = values["completed_at"], values["fire_time"]
    return RunView(
        duration_s=(ended - row.started_at).total_seconds() if ended else None,
        late_s=(row.started_at - fire_time).total_seconds() if fire_time else None,
        requests_by_provider=json.loads(row.requests_by_provider or "{}"),
        **values,
    )
