"""People who may sign in, and the named tokens of programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, or_, select, update

from closingbell.models import ApiToken, AuditEntry, Base, OneTimeLink, User
from closingbell.stores.upsert import insert_one

# From where whoever runs a command acts.
CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Person:
    """A person; never with the password's hash."""

    id: int
    email: str
    name: str | None
    is_active: bool
    is_administrator: bool
    is_viewer: bool


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as they are listed: what they may do, and how they sign in."""

    email: str
    name: str | None
    role: str
    is_active: bool
    has_password: bool
    has_second_factor: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose token it is, and what that person may do now."""

    id: int
    email: str
    is_active: bool
    is_administrator: bool
    is_viewer: bool


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What a shown token is compared with; the operator's has no owner."""

    id: int
    name: str
    token_hash: str = field(repr=False)
    scope: str
    last_used_at: datetime | None
    revoked_at: datetime | None
    owner: TokenOwner | None = None


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as it may be shown: without its hash. ``owner`` is a person's e-mail, None where it is the operator's.

    One that is not live is refused: it was revoked, or its owner is not active.
    """

    id: int
    name: str
    owner: str | None
    scope: str
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None
    is_live: bool


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a person: who did what to which thing, from which address."""

    who: str
    action: str
    target: str
    detail: str | None = None
    address: str | None = None


def find_person(connection: Connection, email: str) -> Person | None:
    """The person of that e-mail, which is compared as it is written."""
    row = connection.execute(select(*_columns(User, Person)).where(User.email == email)).one_or_none()
    return None if row is None else Person(*row)


def load_people(connection: Connection) -> list[PersonView]:
    """Everybody by e-mail."""
    row = User
    role = case((row.is_administrator, "administrator"), (row.is_viewer, "viewer"), else_="member")
    has_password, has_factor = row.password_hash.is_not(None), row.tf_primary_method.is_not(None)
    query = select(row.email, row.name, role, row.is_active, has_password, has_factor, row.created_at)
    return [PersonView(*found) for found in connection.execute(query.order_by(row.email))]


def find_signs(connection: Connection, email: str) -> tuple[int, str] | None:
    """The number of the person of that e-mail, and the key of their sessions."""
    row = connection.execute(select(User.id, User.fs_uniquifier).where(User.email == email)).one_or_none()
    return None if row is None else (row.id, row.fs_uniquifier)


def has_password(connection: Connection, user_id: int) -> bool:
    """Whether a person has a password."""
    return connection.scalar(select(User.password_hash).where(User.id == user_id)) is not None


def load_administrators(connection: Connection) -> list[Person]:
    """Every active administrator, the first one first."""
    query = select(*_columns(User, Person)).where(User.is_active, User.is_administrator).order_by(User.id)
    return [Person(*row) for row in connection.execute(query)]


def store_administrator(
    connection: Connection, *, email: str, name: str | None, password_hash: str | None, now: datetime
) -> int:
    """Store a new administrator, return the id; an IntegrityError says that the e-mail is taken."""
    row = {"email": email, "name": name, "password_hash": password_hash, "created_at": now}
    return insert_one(connection, User, {**row, "is_active": True, "is_administrator": True})


def store_person(
    connection: Connection, *, email: str, name: str | None, is_administrator: bool, is_viewer: bool, now: datetime
) -> int:
    """Store a new person without a password, return the id; an IntegrityError says that the e-mail is taken."""
    row = {"email": email, "name": name, "created_at": now, "is_active": True}
    return insert_one(connection, User, {**row, "is_administrator": is_administrator, "is_viewer": is_viewer})


def store_rights(connection: Connection, user_id: int, **changes: Any) -> None:
    """Change a person's name and rights, by their columns; a new ``fs_uniquifier`` ends every session of theirs."""
    connection.execute(update(User).where(User.id == user_id).values(**changes))


def lock_way_in(connection: Connection) -> set[int]:
    """The active administrators who have a password; whoever else wants to know waits until this transaction ends."""
    query = select(User.id).where(User.is_active, User.is_administrator, User.password_hash.is_not(None))
    return set(connection.scalars(query.order_by(User.id).with_for_update()))


def store_token(
    connection: Connection,
    *,
    name: str,
    token_hash: str,
    scope: str,
    by: str,
    now: datetime,
    user_id: int | None = None,
) -> int:
    """Store a new token, a person's or the operator's; an IntegrityError says that the owner has one of that name."""
    row = {"name": name, "token_hash": token_hash, "scope": scope, "created_at": now, "created_by": by}
    return insert_one(connection, ApiToken, {**row, "user_id": user_id, "owner_key": user_id or 0})


def find_token(connection: Connection, token_id: int) -> StoredToken | None:
    """The token of that id, revoked or not."""
    row = ApiToken
    of_token = (row.id, row.name, row.token_hash, row.scope, row.last_used_at, row.revoked_at)
    query = select(*of_token, *_columns(User, TokenOwner)).outerjoin(User, User.id == row.user_id)
    found = connection.execute(query.where(row.id == token_id)).one_or_none()
    if found is None:
        return None
    facts: tuple[Any, ...] = tuple(found)
    owner = facts[len(of_token) :]
    return StoredToken(*(*facts[: len(of_token)], None if owner[0] is None else TokenOwner(*owner)))


def load_tokens(connection: Connection, *, user_id: int | None = None) -> list[TokenView]:
    """Every token by name, revoked ones too; a person's own where ``user_id`` is given."""
    row = ApiToken
    facts = (row.id, row.name, User.email, row.scope, row.created_at, row.created_by, row.last_used_at, row.revoked_at)
    query = select(*facts, User.is_active).outerjoin(User, User.id == row.user_id).order_by(row.name, row.id)
    if user_id is not None:
        query = query.where(row.user_id == user_id)
    return [
        TokenView(*found[:-1], is_live=found.revoked_at is None and found.is_active is not False)
        for found in connection.execute(query)
    ]


def store_revoked(connection: Connection, token_id: int, *, now: datetime) -> bool:
    """Revoke a token for good; False when there is no live one of that id."""
    row = ApiToken
    changed = connection.execute(update(row).where(row.id == token_id, row.revoked_at.is_(None)).values(revoked_at=now))
    return changed.rowcount == 1


def store_used(connection: Connection, token_id: int, *, now: datetime, unless_since: datetime) -> bool:
    """Write down that a token was used; False when that was written since ``unless_since``, by whomever."""
    row = ApiToken
    is_old = or_(row.last_used_at.is_(None), row.last_used_at <= unless_since)
    changed = connection.execute(update(row).where(row.id == token_id, is_old).values(last_used_at=now))
    return changed.rowcount == 1


def store_link(connection: Connection, user_id: int, *, secret_hash: str, now: datetime, expires_at: datetime) -> None:
    """Store a one-time link of a person; links made before are used up by it."""
    row = OneTimeLink
    connection.execute(update(row).where(row.user_id == user_id, row.used_at.is_(None)).values(used_at=now))
    insert_one(
        connection, row, {"user_id": user_id, "secret_hash": secret_hash, "created_at": now, "expires_at": expires_at}
    )


def find_link(connection: Connection, secret_hash: str, *, now: datetime) -> Person | None:
    """The active person whose unused and unexpired link this is."""
    row = OneTimeLink
    query = (
        select(*_columns(User, Person))
        .join(row, row.user_id == User.id)
        .where(row.secret_hash == secret_hash, row.used_at.is_(None), row.expires_at > now, User.is_active)
    )
    found = connection.execute(query).one_or_none()
    return None if found is None else Person(*found)


def use_link(connection: Connection, secret_hash: str, *, now: datetime) -> bool:
    """Use a link up; False when somebody did so before, or when it has expired."""
    row = OneTimeLink
    changed = connection.execute(
        update(row)
        .where(row.secret_hash == secret_hash, row.used_at.is_(None), row.expires_at > now)
        .values(used_at=now)
    )
    return changed.rowcount == 1


def store_password(connection: Connection, user_id: int, *, password_hash: str, uniquifier: str) -> None:
    """Give a person a new password; a new uniquifier ends every session that is open."""
    connection.execute(
        update(User).where(User.id == user_id).values(password_hash=password_hash, fs_uniquifier=uniquifier)
    )


def store_no_second_factor(connection: Connection, user_id: int, *, uniquifier: str) -> bool:
    """Take a person's second factor away and end every session of theirs; False where there is none."""
    changes = {"tf_primary_method": None, "tf_totp_secret": None, "fs_uniquifier": uniquifier}
    of_person = update(User).where(User.id == user_id, User.tf_primary_method.is_not(None))
    return connection.execute(of_person.values(**changes)).rowcount == 1


def store_action(connection: Connection, action: Action, *, now: datetime) -> None:
    """Write down what a person did."""
    insert_one(connection, AuditEntry, {**{name: getattr(action, name) for name in Action.__slots__}, "at": now})


def _columns(model: type[Base], shape: type[Any]) -> list[Any]:
    """The columns of ``model`` that make a ``shape``, in its order."""
    return [getattr(model, name) for name in shape.__slots__]
