"""Whom administrators let in, and what each person may do; each change is written down with it, in one transaction."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import people
from closingbell.stores.people import Person, PersonView
from closingbell.usecases.audited import in_words, write_down
from closingbell.usecases.people import LINK_LASTS, SECRET_BYTES, checked_email, checked_name, hash_of
from closingbell.usecases.reasons import By

_LONGEST_NAME = 200
_RIGHTS = ("is_active", "is_administrator", "is_viewer")
# What a person may be, and the rights of it.
ROLES = {
    "member": {"is_administrator": False, "is_viewer": False},
    "viewer": {"is_administrator": False, "is_viewer": True},
    "administrator": {"is_administrator": True, "is_viewer": False},
}


def list_people(context: JobContext) -> list[PersonView]:
    """Everybody by e-mail, also who is not let in any more."""
    with context.database.read() as connection:
        return people.load_people(connection)


def add_person(
    context: JobContext, email: str, *, name: str = "", is_administrator: bool = False, is_viewer: bool = False,
    by: By,
) -> str:  # fmt: skip
    """Let somebody in; return the secret of a link by which they choose a password. Raise UsageError."""
    address, shown = checked_email(email), _shown_name(name)
    secret, now = secrets.token_urlsafe(SECRET_BYTES), context.wall.now()
    told = {"name": shown, "is_administrator": is_administrator, "is_viewer": is_viewer}

    def unit(connection: Connection) -> None:
        user_id = people.store_person(
            connection, email=address, name=shown, is_administrator=is_administrator, is_viewer=is_viewer, now=now
        )
        people.store_link(connection, user_id, secret_hash=hash_of(secret), now=now, expires_at=now + LINK_LASTS)
        write_down(context, connection, by, "add person", address, in_words(told))

    try:
        context.database.write_unit(unit)
    except IntegrityError:
        raise UsageError(f"there is somebody with the e-mail {address} already") from None
    return secret


def make_link(context: JobContext, email: str, *, by: By) -> str:
    """A new link by which a person chooses a password, in place of one that is forgotten; return its secret."""
    secret, now = secrets.token_urlsafe(SECRET_BYTES), context.wall.now()

    def unit(connection: Connection) -> None:
        person = _find(connection, email)
        if not person.is_active:
            raise UsageError(
                f"{person.email} may not sign in; allow that first: closingbell people activate {person.email}"
            )
        people.store_link(connection, person.id, secret_hash=hash_of(secret), now=now, expires_at=now + LINK_LASTS)
        write_down(context, connection, by, "link person", person.email)

    context.database.write_unit(unit)
    return secret


def change_person(context: JobContext, email: str, *, by: By, **changes: Any) -> None:
    """Change a person's ``name`` and rights (``is_active``, ``is_administrator``, ``is_viewer``).

    Who loses a right is signed out everywhere. Raise UsageError where nobody would be left to administrate.
    """
    if not changes or changes.keys() - {"name", *_RIGHTS}:
        raise UsageError("name at least one thing to change: the name, or a right")
    told = {**changes, "name": _shown_name(changes["name"])} if "name" in changes else dict(changes)

    def unit(connection: Connection) -> None:
        person = _find(connection, email)
        if all(getattr(person, name) == value for name, value in told.items()):
            raise UsageError(f"{person.email} is like that already")
        has_lost = any(told.get(right) is False and getattr(person, right) for right in _RIGHTS)
        left = people.lock_way_in(connection) - {person.id}
        stays = told.get("is_active", person.is_active) and told.get("is_administrator", person.is_administrator)
        if person.is_active and person.is_administrator and not stays and not left:
            raise UsageError(
                f"{person.email} is the last administrator who can sign in; "
                "first make somebody else one who has a password"
            )
        ended = {"fs_uniquifier": uuid4().hex} if has_lost else {}
        people.store_rights(connection, person.id, **told, **ended)
        write_down(context, connection, by, "edit person", person.email, in_words(changes))

    context.database.write_unit(unit)


def _find(connection: Connection, email: str) -> Person:
    person = people.find_person(connection, email)
    if person is None:
        raise UsageError(f"nobody has the address {email!r}")
    return person


def _shown_name(name: str | None) -> str | None:
    return checked_name(name, longest=_LONGEST_NAME, what="the name") if (name or "").strip() and name else None
