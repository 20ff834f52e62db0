"""What keeps jobs exact across processes: due times, requests, operators' switches, and who is alive."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, UtcDateTime


class JobTick(Base):
    """One due time of one job; inserting it is the claim. ``skipped`` says why it is not run, ``done_at`` that it was.

    A tick with neither waits for a run.
    """

    __tablename__ = "job_tick"
    __table_args__ = (
        UniqueConstraint("job_name", "fire_time"),
        Index("ix_job_tick_waiting", "job_name", "done_at"),
        MYSQL,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_name: Mapped[str] = mapped_column(String(64))
    fire_time: Mapped[datetime] = mapped_column(UtcDateTime)
    skipped: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class JobRequest(Base):
    """A run that a person or the API asked for; ``arguments`` is JSON (symbols, run to retry)."""

    __tablename__ = "job_request"
    __table_args__ = (Index("ix_job_request_waiting", "done_at", "id"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_name: Mapped[str] = mapped_column(String(64))
    arguments: Mapped[str] = mapped_column(Text)
    trigger: Mapped[str] = mapped_column(String(16))
    requested_by: Mapped[str] = mapped_column(String(200))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refused: Mapped[str | None] = mapped_column(String(200))
    # The run's number, not a foreign key: retention removes old runs and keeps what was asked.
    run_id: Mapped[int | None] = mapped_column(BigInteger)


class JobState(Base):
    """A job's switches: since when it is known, its schedule then, and whether a person paused it."""

    __tablename__ = "job_state"

    job_name: Mapped[str] = mapped_column(String(64), primary_key=True)
    known_since: Mapped[datetime] = mapped_column(UtcDateTime)
    schedule: Mapped[str] = mapped_column(String(200))
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_by: Mapped[str | None] = mapped_column(String(200))
    paused_why: Mapped[str | None] = mapped_column(String(500))


class SchedulerProcess(Base):
    """A process with a scheduler; alive while its heartbeat is young (real time)."""

    __tablename__ = "scheduler_process"

    owner: Mapped[str] = mapped_column(String(160), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Incident(Base):
    """Something that went wrong and goes on: one per job and kind while ``active_key`` is set."""

    __tablename__ = "incident"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    active_key: Mapped[str | None] = mapped_column(String(140), unique=True)
    job_name: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(64))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reminded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_count: Mapped[int] = mapped_column(default=1)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiToken(Base):
    """A named bearer token; only its hash is kept. ``scope`` is read or operate.

    One without ``user_id`` is the operator's; ``owner_key`` is its owner, 0 for the operator: a name is there once for
    each, which a key with NULL in it would not see to.
    """

    __tablename__ = "api_token"
    __table_args__ = (UniqueConstraint("owner_key", "name"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("app_user.id"))
    owner_key: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(200))
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
