"""totals of ended runs, filled from those that are there

Revision 0020, after 0019.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# As they were when this was written: a later change of the buckets has a migration of its own.
_DURATION = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_LATENESS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_AT_ONCE = 5_000

_LOG = sa.table(
    "job_log",
    sa.column("id", sa.BigInteger),
    sa.column("job_name", sa.String),
    sa.column("status", sa.String),
    sa.column("started_at", UtcDateTime),
    sa.column("completed_at", UtcDateTime),
    sa.column("fire_time", UtcDateTime),
    sa.column("attempt", sa.Integer),
)
_ITEM = sa.table("job_log_item", sa.column("job_log_id", sa.BigInteger), sa.column("outcome", sa.String))

_Totals = Counter[tuple[str, str, str]]


def upgrade() -> None:
    totals = op.create_table(
        "run_total",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("job_name", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "job_name", "label", name=op.f("pk_run_total")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    connection = op.get_bind()
    found: _Totals = Counter()
    for run in _ended(connection):
        _count(found, run)
    item, log = _ITEM.c, _LOG.c
    of_runs = sa.select(log.job_name, item.outcome, sa.func.count()).join(_ITEM, item.job_log_id == log.id)
    for job_name, outcome, count in connection.execute(
        of_runs.where(log.status != "RUNNING").group_by(log.job_name, item.outcome)
    ):
        found["symbols", job_name, outcome] = count
    rows = [{"kind": k, "job_name": j, "label": label, "amount": n} for (k, j, label), n in sorted(found.items())]
    if rows:
        connection.execute(sa.insert(totals), rows)


def _ended(connection: sa.Connection) -> Iterator[Any]:
    """Every run that has ended, some thousand at a time."""
    last = 0
    log = _LOG.c
    while True:
        query = sa.select(_LOG).where(log.status != "RUNNING", log.id > last).order_by(log.id).limit(_AT_ONCE)
        runs = connection.execute(query).all()
        yield from runs
        if len(runs) < _AT_ONCE:
            return
        last = runs[-1].id


def _count(found: _Totals, run: Any) -> None:
    found["runs", run.job_name, run.status.lower()] += 1
    if run.completed_at is not None:
        _measure(found, "duration", run.job_name, run.completed_at - run.started_at, _DURATION)
    if run.fire_time is not None and run.attempt == 1:
        _measure(found, "lateness", run.job_name, run.started_at - run.fire_time, _LATENESS)


def _measure(found: _Totals, kind: str, job_name: str, lasted: Any, bounds: tuple[float, ...]) -> None:
    seconds = max(lasted.total_seconds(), 0.0)
    found[kind, job_name, next((f"{bound:g}" for bound in bounds if seconds <= bound), "inf")] += 1
    found[f"{kind}_ms", job_name, ""] += round(seconds * 1000)


def downgrade() -> None:
    op.drop_table("run_total")
