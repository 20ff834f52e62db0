"""Tries to sign in: so many in so long, however many processes count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, update

from closingbell.models import SignInTry
from closingbell.stores.upsert import upsert

_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


def take(connection: Connection, key_hash: str, *, most: int, since: datetime, now: datetime) -> int | None:
    """Take one of ``most`` tries, one that nobody took after ``since``; its number, or None when there is none."""
    row = SignInTry
    found = connection.execute(select(row.slot, row.tried_at).where(row.key_hash == key_hash))
    taken_at = {one.slot: one.tried_at for one in found}
    for slot in range(most):
        if taken_at.get(slot, _NEVER) > since:
            continue
        if slot not in taken_at:
            new = {"key_hash": key_hash, "slot": slot, "tried_at": _NEVER}
            upsert(connection, row, [new])
        # Another process may have read the same rows; the row count says whose try it is.
        taken = connection.execute(
            update(row).where(row.key_hash == key_hash, row.slot == slot, row.tried_at <= since).values(tried_at=now)
        )
        if taken.rowcount == 1:
            return slot
    return None


def give_back(connection: Connection, key_hash: str, slot: int, *, taken_at: datetime) -> None:
    """Give a try back, unless somebody took it since."""
    row = SignInTry
    connection.execute(delete(row).where(row.key_hash == key_hash, row.slot == slot, row.tried_at == taken_at))


def free(connection: Connection, key_hashes: Sequence[str]) -> int:
    """Give back every try of these keys; how many there were."""
    return connection.execute(delete(SignInTry).where(SignInTry.key_hash.in_(key_hashes))).rowcount


def remove_old(connection: Connection, *, before: datetime, most: int) -> int:
    """Remove the old tries of up to ``most`` keys; return of how many."""
    row = SignInTry
    keys = list(connection.scalars(select(row.key_hash).where(row.tried_at < before).distinct().limit(most)))
    if keys:
        connection.execute(delete(row).where(row.key_hash.in_(keys), row.tried_at < before))
    return len(keys)
