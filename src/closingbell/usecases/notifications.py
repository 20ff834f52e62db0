"""What people do with their messages."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from closingbell.jobs.context import JobContext
from closingbell.stores import incidents
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By


def mark_read(context: JobContext, ids: Sequence[int], *, user_id: int | None = None, by: By) -> int:
    """Mark messages as read, only those of one person where ``user_id`` is given; return how many were unread."""
    now = context.clock.now()

    def unit(connection: Connection) -> int:
        count = incidents.store_read(connection, ids, now=now, user_id=user_id)
        if count:
            write_down(context, connection, by, "read notifications", f"{count} unread")
        return count

    return context.database.write_unit(unit)
