"""How often somebody may try to sign in: counted in the database, so for all processes and across restarts.

Times here are real ones, whatever clock the jobs follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from closingbell.jobs.context import JobContext
from closingbell.stores import people, sign_in_tries
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries in any stretch of time as long as ``within``."""

    most: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was taken, to be given back when it succeeds."""

    key_hash: str
    slot: int
    taken_at: datetime


def take_try(context: JobContext, key_hash: str, limit: Limit) -> Try | None:
    """Take a try in a short transaction of its own; None when none is left. Passwords are hashed after it."""
    now = context.wall.now()
    since = now - limit.within
    slot = context.database.write_unit(lambda c: sign_in_tries.take(c, key_hash, most=limit.most, since=since, now=now))
    return None if slot is None else Try(key_hash, slot, now)


def give_back(context: JobContext, tries: Sequence[Try]) -> None:
    """Give tries back: only failed ones count."""

    def unit(connection: Connection) -> None:
        for one in tries:
            sign_in_tries.give_back(connection, one.key_hash, one.slot, taken_at=one.taken_at)

    if tries:
        context.database.write_unit(unit)


def find_signs(context: JobContext, email: str) -> tuple[int, str] | None:
    """By what tries of a person are counted besides the name: number and session key; None for nobody."""
    with context.database.read() as connection:
        return people.find_signs(connection, email)


def free_tries(context: JobContext, key_hashes: Sequence[str], *, email: str, by: By) -> int:
    """Give back all tries of these keys, which are a person's, and write it down; how many were used."""

    def unit(connection: Connection) -> int:
        count = sign_in_tries.free(connection, key_hashes)
        if count:
            write_down(context, connection, by, "unlock", email, f"{count} tries given back")
        return count

    return context.database.write_unit(unit)
