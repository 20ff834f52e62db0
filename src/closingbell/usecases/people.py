"""Who may come in: people with a password or a link that lets them choose one, programs with a token.

Times here are real ones, whatever clock the jobs follow: who may do what is no part of a simulation.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import uuid4

from argon2 import PasswordHasher
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from closingbell.errors import NotAllowedError, NotAuthenticatedError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import people
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import Actor, By
from closingbell.usecases.reasons import checked_name as checked_actor
from closingbell.utils.text import listed

Scope = Literal["read", "operate"]

# scope -> what a token of it may do.
INCLUDES: dict[str, tuple[Scope, ...]] = {"read": ("read",), "operate": ("read", "operate")}

SHORTEST_PASSWORD = 12
# A longer one would let a stranger keep this machine busy with hashing.
LONGEST_PASSWORD = 128

_EMAIL = re.compile(r"[^\s@<>(),;:\"\\\[\]]{1,64}@[^\s@<>(),;:\"\\\[\].]+(\.[^\s@<>(),;:\"\\\[\].]+)*")
_LONGEST_EMAIL = 254
_TOKEN = re.compile(r"cb_([1-9][0-9]{0,17})_([A-Za-z0-9_-]{43})")
SECRET_BYTES = 32
# Compared with when no token has the number shown, so that an answer takes as long as for one that exists.
_NO_HASH = "0" * 64
_USE_IS_WRITTEN_EVERY = timedelta(minutes=1)

# How long a one-time link may be used.
LINK_LASTS = timedelta(minutes=30)

_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class TokenIdentity:
    """Who showed a token: a program of the operator's, or of the person ``owner``, who may do what that person may."""

    id: int
    name: str
    scope: str
    owner: people.TokenOwner | None = None

    @property
    def told(self) -> str:
        """How it is written down who did something."""
        return f"token:{self.name}" if self.owner is None else f"api:{self.owner.email}, token {self.name}"[:200]

    @property
    def may_look(self) -> bool:
        """Whether jobs, companies and figures of everything may be seen, which viewers may."""
        return self.owner is None or self.owner.is_viewer or self.may_operate

    @property
    def may_operate(self) -> bool:
        """Whether jobs may be operated, which administrators may."""
        return self.owner is None or self.owner.is_administrator


def create_administrator(
    context: JobContext, *, email: str, password: str, name: str | None = None, by: By | None = None
) -> int:
    """Store a new administrator and return the id; raise UsageError when that cannot be."""
    address = checked_email(email)
    shown_name = checked_name(name, longest=200, what="the name") if name else None
    check_password(password, email=address)
    hashed = _hasher.hash(password)
    now = context.wall.now()

    def unit(connection: Connection) -> int:
        number = people.store_administrator(connection, email=address, name=shown_name, password_hash=hashed, now=now)
        write_down(context, connection, by, "create administrator", address)
        return number

    try:
        return context.database.write_unit(unit)
    except IntegrityError:
        raise UsageError(f"there is somebody with the e-mail {address} already") from None


def invite_administrator(context: JobContext, *, email: str, name: str | None = None, by: By | None = None) -> str:
    """Store a new administrator without a password, and return the secret of a link to choose one with.

    For an administrator who has none yet a new link is made, and the old one is used up. Raise UsageError when the
    person is there and has a password.
    """
    address = checked_email(email)
    shown_name = checked_name(name, longest=200, what="the name") if name else None
    secret = secrets.token_urlsafe(SECRET_BYTES)
    now = context.wall.now()

    def unit(connection: Connection) -> None:
        known = people.find_person(connection, address)
        if known is not None and (people.has_password(connection, known.id) or not known.is_administrator):
            raise UsageError(f"there is somebody with the e-mail {address} already")
        user_id = (
            known.id
            if known
            else people.store_administrator(connection, email=address, name=shown_name, password_hash=None, now=now)
        )
        people.store_link(connection, user_id, secret_hash=hash_of(secret), now=now, expires_at=now + LINK_LASTS)
        write_down(context, connection, by, "create administrator", address, "by a link")

    context.database.write_unit(unit)
    return secret


def link_owner(context: JobContext, secret: str) -> people.Person | None:
    """The person whom a link lets in, or None when it was used, has expired, or never was one."""
    with context.database.read() as connection:
        return people.find_link(connection, hash_of(secret), now=context.wall.now())


def choose_password(context: JobContext, secret: str, password: str, *, address: str | None) -> people.Person:
    """Use a link up: its person has this password from now on. Raise UsageError when either cannot be.

    ``address`` is from where it is chosen.
    """
    person = link_owner(context, secret)
    if person is None:
        raise UsageError("this link was used already, or has expired; closingbell create-admin --link makes a new one")
    check_password(password, email=person.email)
    # Hashing takes long on purpose, so it comes before the transaction.
    hashed, uniquifier, now = _hasher.hash(password), secrets.token_hex(16), context.wall.now()

    def unit(connection: Connection) -> None:
        if not people.use_link(connection, hash_of(secret), now=now):
            raise UsageError("this link was used a moment ago")
        people.store_password(connection, person.id, password_hash=hashed, uniquifier=uniquifier)
        who = Actor(person.email, person.email, address)
        write_down(context, connection, who, "choose password", person.email)

    context.database.write_unit(unit)
    return person


def reset_second_factor(context: JobContext, *, email: str, by: By) -> None:
    """Take away a second factor that was lost, end the person's sessions, and write it down; raise UsageError.

    The password alone signs in then, until another one is set up.
    """
    whose = checked_email(email)

    def unit(connection: Connection) -> bool:
        person = people.find_person(connection, whose)
        if person is None:
            raise UsageError(f"nobody has the address {whose}")
        if not people.store_no_second_factor(connection, person.id, uniquifier=uuid4().hex):
            return False
        write_down(context, connection, by, "reset second factor", whose)
        return True

    if not context.database.write_unit(unit):
        raise UsageError(f"{whose} has no second factor")


def checked_email(email: str) -> str:
    """An e-mail in the spelling that is stored, lower case; raise UsageError when it cannot be one."""
    address = email.strip().lower()
    if len(address) > _LONGEST_EMAIL or not address.isprintable() or not _EMAIL.fullmatch(address):
        raise UsageError("that is not an e-mail address; write it like ann@example.org")
    return address


def checked_name(name: str, *, longest: int, what: str) -> str:
    """A name without blanks around it; raise UsageError when it is empty, too long or holds control characters."""
    shown = name.strip()
    if not shown or len(shown) > longest or not shown.isprintable():
        raise UsageError(f"{what} must be 1 to {longest} printable characters")
    return shown


def check_password(password: str, *, email: str) -> None:
    """Raise UsageError when a password is too short, too long, cannot be typed, or is the e-mail itself."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UsageError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if not password.isprintable():
        raise UsageError("a password holds no control characters")
    if password.strip().lower() == email:
        raise UsageError("the password must not be the e-mail address")


def create_token(context: JobContext, *, name: str, scope: str, by: By, user_id: int | None = None) -> str:
    """Make a named token and return its text, which nobody can read again; raise UsageError when that cannot be.

    It is the person's of ``user_id``, or the operator's, which reads every account.
    """
    shown_name = checked_name(name, longest=100, what="a token's name")
    if scope not in INCLUDES:
        raise UsageError(f"a token's scope is {' or '.join(INCLUDES)}")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    hashed, now = hash_of(secret), context.wall.now()

    def unit(connection: Connection) -> int:
        number = people.store_token(
            connection, name=shown_name, token_hash=hashed, scope=scope, by=checked_actor(by), now=now, user_id=user_id
        )
        write_down(context, connection, by, "create token", shown_name, scope)
        return number

    try:
        token_id = context.database.write_unit(unit)
    except IntegrityError:
        raise UsageError(
            f"a token is called {shown_name!r} already; a name is used once, also that of a revoked one"
        ) from None
    return f"cb_{token_id}_{secret}"


def hash_of(secret: str) -> str:
    """What is kept of a secret."""
    # A fast hash does: there is nothing to guess in 256 random bits.
    return hashlib.sha256(secret.encode()).hexdigest()


def list_tokens(context: JobContext, *, user_id: int | None = None) -> list[people.TokenView]:
    """Every token by name, revoked ones too; a person's own where ``user_id`` is given."""
    with context.database.read() as connection:
        return people.load_tokens(connection, user_id=user_id)


def find_token(context: JobContext, token_id: int, *, user_id: int | None = None) -> people.TokenView | None:
    """The token of that id; None alike where there is none and, where ``user_id`` is given, where it is another's."""
    return next((one for one in list_tokens(context, user_id=user_id) if one.id == token_id), None)


def revoke_token(context: JobContext, name: str, *, of: str | None = None, by: By | None = None) -> None:
    """Revoke the operator's token of that name, or a person's; raise UsageError when there is no live one of it."""
    shown, owner = name.strip(), None if of is None else checked_email(of)
    named = [one for one in list_tokens(context) if one.name == shown]
    found = next((one for one in named if one.owner == owner), None)
    if found is None:
        whose = sorted(one.owner for one in named if one.owner is not None)
        hint = f"; {listed(whose)} {'has' if len(whose) == 1 else 'have'} one: --of EMAIL" if whose else ""
        raise UsageError(f"no token is called {shown!r}; list-tokens shows them" + (hint if of is None else ""))
    if not revoke_token_of(context, found, by=by):
        raise UsageError(f"the token {shown!r} is revoked already")


def revoke_token_of(context: JobContext, token: people.TokenView, *, by: By | None) -> bool:
    """Revoke a token for good; False when it is revoked already."""
    now = context.wall.now()

    def unit(connection: Connection) -> bool:
        if not people.store_revoked(connection, token.id, now=now):
            return False
        write_down(context, connection, by, "revoke token", token.name, f"of {token.owner or 'the operator'}")
        return True

    return context.database.write_unit(unit)


def verify_token(context: JobContext, text: str, *, needs: Scope) -> TokenIdentity:
    """Who shows this token; raise NotAuthenticatedError, or NotAllowedError when its scope does not include ``needs``.

    Writes down that it was used, at most once a minute.
    """
    token = _live_token(context, text)
    _note_use(context, token)
    if needs not in INCLUDES.get(token.scope, ()):
        raise NotAllowedError(f"this needs a token of scope {needs}; {token.name!r} has scope {token.scope}")
    return TokenIdentity(token.id, token.name, token.scope, token.owner)


def _live_token(context: JobContext, text: str) -> people.StoredToken:
    shown = _TOKEN.fullmatch(text)
    if shown is None:
        raise NotAuthenticatedError("that is not a token of this server")
    with context.database.read() as connection:
        stored = people.find_token(connection, int(shown[1]))
    is_right = hmac.compare_digest(stored.token_hash if stored else _NO_HASH, hash_of(shown[2]))
    if stored is None or not is_right:
        raise NotAuthenticatedError("that is not a token of this server")
    if stored.revoked_at is not None:
        raise NotAuthenticatedError("this token was revoked")
    if stored.owner is not None and not stored.owner.is_active:
        raise NotAuthenticatedError("the person whose token this is has no access any more")
    return stored


def _note_use(context: JobContext, token: people.StoredToken) -> None:
    now = context.wall.now()
    since = now - _USE_IS_WRITTEN_EVERY
    # Looked at before writing: a poll every second must not queue for SQLite's one writer every time.
    if token.last_used_at is None or token.last_used_at <= since:
        context.database.write_unit(lambda c: people.store_used(c, token.id, now=now, unless_since=since))


def has_way_in(context: JobContext) -> bool:
    """Whether anybody could come in: a live token, or an active administrator."""
    with context.database.read() as connection:
        has_token = any(token.is_live for token in people.load_tokens(connection))
        return has_token or bool(people.load_administrators(connection))
