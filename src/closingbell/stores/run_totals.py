"""Totals of ended runs, raised in the transaction that ends each: nobody counts runs to know how many there were.

Runs are removed when they are old; the totals stay.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from closingbell.domain.run_totals import EndedRun, raised_by
from closingbell.models import JobLog, JobLogItem, RunTotal
from closingbell.stores.upsert import table_of, upsert


class Total(NamedTuple):
    """One total: its kind, job and label as in ``domain/run_totals.py``."""

    kind: str
    job_name: str
    label: str
    amount: int


def count_ended(connection: Connection, run_id: int) -> None:
    """Count a run that this transaction ended; whoever ends a run calls it once, and only when the run was its own."""
    log, item = table_of(JobLog).c, table_of(JobLogItem).c
    columns = (log.job_name, log.status, log.started_at, log.completed_at, log.fire_time, log.attempt)
    run = connection.execute(select(*columns).where(log.id == run_id)).one()
    outcomes = select(item.outcome, func.count()).where(item.job_log_id == run_id).group_by(item.outcome)
    is_first = run.fire_time is not None and run.attempt == 1
    ended = EndedRun(
        status=run.status,
        duration_s=(run.completed_at - run.started_at).total_seconds() if run.completed_at else None,
        late_s=(run.started_at - run.fire_time).total_seconds() if is_first else None,
        outcomes=dict(connection.execute(outcomes).all()),
    )
    rows = [
        {"kind": kind, "job_name": run.job_name, "label": label, "amount": amount}
        # In one order everywhere: two processes that raise the same totals wait for each other, and never both.
        for (kind, label), amount in sorted(raised_by(ended).items())
    ]
    upsert(connection, RunTotal, rows, add=("amount",))


def load_totals(connection: Connection) -> list[Total]:
    """Every total that there is."""
    row = table_of(RunTotal).c
    query = select(row.kind, row.job_name, row.label, row.amount)
    return [Total(*found) for found in connection.execute(query.order_by(row.kind, row.job_name, row.label))]
