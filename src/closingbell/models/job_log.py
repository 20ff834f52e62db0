"""JobLog: every execution of every job, and how each company ended in it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, Symbol, UtcDateTime


class JobLog(Base):
    """One run: attempt ``attempt`` at a tick, or one that a person asked for.

    ``owner`` is the process that carries it out and ``lease_until`` how long it may be trusted to (real time);
    ``active_key`` is the job's name while it runs, so that one job has one run; ``ended_by`` says why it ended if not
    by itself: cancelled, orphaned, stalled, interrupted, timed_out, error. ``requests_by_provider`` is a JSON object of
    counts that sum to ``request_count``; older rows have none. ``last_symbol`` is the company that ended last so far.
    """

    __tablename__ = "job_log"
    __table_args__ = (
        Index(None, "job_name", "started_at"),
        Index(None, "job_name", "status", "started_at"),
        Index(None, "status", "started_at"),
        Index(None, "started_at"),
        UniqueConstraint("tick_id", "attempt"),
        MYSQL,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_name: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stocks_processed: Mapped[int] = mapped_column(default=0)
    stocks_failed: Mapped[int] = mapped_column(default=0)
    error_message: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    trigger: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(160))
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    progress_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    active_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    tick_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("job_tick.id"))
    fire_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempt: Mapped[int] = mapped_column(default=1, server_default="1")
    requested_by: Mapped[str | None] = mapped_column(String(200))
    retry_of: Mapped[int | None] = mapped_column(BigInteger)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested_by: Mapped[str | None] = mapped_column(String(200))
    stocks_planned: Mapped[int | None]
    last_symbol: Mapped[str | None] = mapped_column(Symbol)
    arguments: Mapped[str | None] = mapped_column(Text)
    ended_by: Mapped[str | None] = mapped_column(String(24))
    expected_count: Mapped[int] = mapped_column(BigInteger, default=0)
    covered_count: Mapped[int] = mapped_column(BigInteger, default=0)
    request_count: Mapped[int] = mapped_column(default=0)
    requests_by_provider: Mapped[str | None] = mapped_column(Text)


class RunPaid(Base):
    """What one transaction of a run of dividends paid, as text; whoever closes the run tells all of it, and removes it.

    So what a run had committed is told even when its process ended before the run did.
    """

    __tablename__ = "run_paid"
    __table_args__ = (Index("ix_run_paid_job_log_id", "job_log_id"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_log_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("job_log.id"))
    paid: Mapped[str] = mapped_column(Text)


class RunTotal(Base):
    """How often something was so in all runs that ever ended, also those that are removed since.

    ``kind`` and ``label`` are those of ``domain/run_totals.py``.
    """

    __tablename__ = "run_total"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    job_name: Mapped[str] = mapped_column(String(64), primary_key=True)
    label: Mapped[str] = mapped_column(String(16), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)


class JobLogItem(Base):
    """How one company ended in a run; one row per run and symbol."""

    __tablename__ = "job_log_item"
    __table_args__ = ({**MYSQL, "sqlite_with_rowid": False},)

    job_log_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("job_log.id"), primary_key=True)
    symbol: Mapped[str] = mapped_column(Symbol, primary_key=True)
    company_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("company.id"))
    outcome: Mapped[str] = mapped_column(String(16))
    expected_count: Mapped[int]
    covered_count: Mapped[int]
    stored_count: Mapped[int]
    changed_count: Mapped[int]
    quarantined_count: Mapped[int]
    error_kind: Mapped[str | None] = mapped_column(String(24))
    message: Mapped[str | None] = mapped_column(String(500))
    attempt_count: Mapped[int]
    duration_ms: Mapped[int]
