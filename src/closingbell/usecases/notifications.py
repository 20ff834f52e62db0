"""What people do with their messages."""

from __future__ import annotations

from collections.abc import Sequence

from closingbell.jobs.context import JobContext
from closingbell.stores import incidents


def mark_read(context: JobContext, ids: Sequence[int], *, user_id: int | None = None) -> int:
    """Mark messages as read, only those of one person where ``user_id`` is given; return how many were unread."""
    now = context.clock.now()
    return context.database.write_unit(
        lambda connection: incidents.store_read(connection, ids, now=now, user_id=user_id)
    )
