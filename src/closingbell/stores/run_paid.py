"""What a run of dividends paid, written down with each of its transactions, until its end is told."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from closingbell.domain.paid import Paid, paid_together
from closingbell.models import RunPaid


def store_paid(connection: Connection, run_id: int, paid: Paid) -> None:
    """Write down what one transaction of a run pays, as part of it; nothing where it pays nothing."""
    if paid.payment_count or paid.taken_back_count:
        connection.execute(insert(RunPaid).values(job_log_id=run_id, paid=paid.as_text()))


def take_paid(connection: Connection, run_id: int) -> Paid | None:
    """All that a run committed, whoever closes it, as part of closing it; None where it paid nothing."""
    row = RunPaid
    found = connection.scalars(select(row.paid).where(row.job_log_id == run_id).order_by(row.id)).all()
    if not found:
        return None
    connection.execute(delete(row).where(row.job_log_id == run_id))
    return paid_together(Paid.of_text(one) for one in found)
