"""What people have been told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from closingbell.errors import UsageError
from closingbell.models import Notification, User
from closingbell.stores.database import Database
from closingbell.stores.paging import is_after


@dataclass(frozen=True, slots=True)
class NotificationView:
    """One message to one person; ``job_log_id`` is the run that it is about."""

    id: int
    email: str
    type: str
    level: str
    title: str
    body: str
    job_log_id: int | None
    created_at: datetime
    read_at: datetime | None


def list_notifications(
    database: Database,
    *,
    email: str | None = None,
    user_id: int | None = None,
    unread_only: bool = False,
    before_id: int | None = None,
    limit: int = 50,
) -> list[NotificationView]:
    """The newest messages first, of one person or of all, those after ``before_id`` in that order.

    Raise UsageError when nobody has that address.
    """
    row = Notification
    columns = [User.email if name == "email" else getattr(row, name) for name in NotificationView.__slots__]
    query = select(*columns).join(User, User.id == row.user_id).order_by(row.created_at.desc(), row.id.desc())
    if unread_only:
        query = query.where(row.read_at.is_(None))
    with database.read() as connection:
        of_one = _find_user(connection, email) if email is not None else user_id
        if of_one is not None:
            query = query.where(row.user_id == of_one)
        if before_id is not None:
            query = query.where(is_after(connection, (row.created_at, row.id), row.id, before_id))
        return [NotificationView(*found) for found in connection.execute(query.limit(limit))]


def count_unread(database: Database, user_id: int) -> int:
    """How many messages a person has not read yet."""
    query = select(func.count()).where(Notification.user_id == user_id, Notification.read_at.is_(None))
    with database.read() as connection:
        return connection.scalar(query) or 0


def has_any_of(database: Database, ids: Sequence[int], *, user_id: int) -> bool:
    """Whether at least one of these messages is that person's."""
    query = select(Notification.id).where(Notification.id.in_(ids), Notification.user_id == user_id).limit(1)
    with database.read() as connection:
        return connection.scalar(query) is not None


def _find_user(connection: Connection, email: str) -> int:
    found: int | None = connection.scalar(select(User.id).where(func.lower(User.email) == email.strip().lower()))
    if found is None:
        raise UsageError(f"nobody has the address {email}")
    return found
