"""Where messages go: people's own addresses, programs' webhooks, and whether they arrive."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from closingbell.domain.incidents import Message
from closingbell.domain.outbox import EVENTS, HOSTED, LEVELS, TEST, masked, names_a_server
from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.notifications.senders import check_address, check_webhook
from closingbell.stores import outbox, people
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import Actor, By, checked_name
from closingbell.usecases.sign_in_tries import Limit, take_try
from closingbell.utils.text import listed

MOST_ADDRESSES = 20
OWN_TESTS = Limit(5, timedelta(minutes=10))


@dataclass(frozen=True, slots=True)
class ShownAddress:
    """An address as it may be shown, with what became of the newest message to it (None: there was none)."""

    id: int
    email: str
    kind: str
    level: str
    created_at: datetime
    last: outbox.LastMessage | None = None


@dataclass(frozen=True, slots=True)
class ShownWebhook:
    """A webhook without its secret."""

    id: int
    url: str
    events: tuple[str, ...]
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, row: outbox.WebhookRow) -> ShownWebhook:
        """What may be shown of a webhook."""
        return cls(row.id, row.url, row.events, row.created_by, row.created_at)


@dataclass(frozen=True, slots=True)
class Queued:
    """A test message: its key, and for how many targets it waits."""

    key: str
    count: int


def add_address(context: JobContext, *, email: str, url: str, level: str, by: By | None = None) -> int:
    """Let a person's messages of ``level`` and above also go to an address; raise UsageError when that cannot be.

    An address that names its own server is for administrators: it would have this machine call any other.
    """
    _require_level(level)
    checked = check_address(url)
    now = context.wall.now()
    person = _person(context, email)
    if names_a_server(checked) and not person.is_administrator:
        raise UsageError(
            "an address that names its own server, or has options after a ?, is for administrators; "
            f"yours may be one of {HOSTED}"
        )

    def unit(connection: Connection) -> int:
        if len(outbox.load_addresses(connection, user_id=person.id)) >= MOST_ADDRESSES:
            raise UsageError(f"{person.email} has {MOST_ADDRESSES} addresses already; remove one first")
        number = outbox.store_address(connection, user_id=person.id, url=checked, level=level, now=now)
        told = f"{masked(checked)} from {level} on{_whose(person.email, by)}"
        write_down(context, connection, by, "add address", str(number), told)
        return number

    return context.database.write_unit(unit)


def change_level(
    context: JobContext, address_id: int, level: str, *, user_id: int | None = None, by: By | None = None
) -> None:
    """From which level on messages go to an address; raise UsageError when there is none of that number."""
    _require_level(level)

    def unit(connection: Connection) -> None:
        one = _address(connection, address_id, user_id=user_id)
        if not outbox.store_level(connection, address_id, level, user_id=user_id):
            raise _no_address(address_id)
        told = f"{masked(one.url)} from {level} on{_whose(one.email, by)}"
        write_down(context, connection, by, "change address", str(address_id), told)

    context.database.write_unit(unit)


def _address(connection: Connection, address_id: int, *, user_id: int | None) -> outbox.Address:
    found = outbox.load_addresses(connection, user_id=user_id)
    one = next((one for one in found if one.id == address_id), None)
    if one is None:
        raise _no_address(address_id)
    return one


def _no_address(address_id: int) -> UsageError:
    return UsageError(f"no address has the number {address_id}; addresses list shows them")


def _whose(email: str, by: By | None) -> str:
    """Whose address it is, where somebody else does something to it."""
    return "" if isinstance(by, Actor) and by.who == email else f", of {email}"


def _require_level(level: str) -> None:
    if level not in LEVELS:
        raise UsageError(f"a level is one of {', '.join(LEVELS)}")


def _person(context: JobContext, email: str) -> people.Person:
    with context.database.read() as connection:
        person = people.find_person(connection, email.strip().lower())
    if person is None:
        raise UsageError(f"nobody has the address {email}")
    return person


def list_addresses(context: JobContext, *, user_id: int | None = None) -> list[ShownAddress]:
    """The addresses in use, without what is secret in them."""
    with context.database.read() as connection:
        found = outbox.load_addresses(connection, user_id=user_id)
        last = outbox.load_last_messages(connection, [one.id for one in found])
    return [
        ShownAddress(one.id, one.email, masked(one.url), one.level, one.created_at, last.get(one.id)) for one in found
    ]


def remove_address(context: JobContext, address_id: int, *, user_id: int | None = None, by: By | None = None) -> None:
    """Send nothing more to an address; raise UsageError when there is none of that number."""
    now = context.wall.now()

    def unit(connection: Connection) -> None:
        one = _address(connection, address_id, user_id=user_id)
        if not outbox.remove_address(connection, address_id, now=now, user_id=user_id):
            raise _no_address(address_id)
        write_down(
            context, connection, by, "remove address", str(address_id), f"{masked(one.url)}{_whose(one.email, by)}"
        )

    context.database.write_unit(unit)


def add_webhook(context: JobContext, *, url: str, events: Sequence[str], by: By) -> tuple[int, str]:
    """Tell a program of events; its number, and the secret that signs, which is shown this once."""
    checked = check_webhook(url)
    unknown = sorted(set(events) - set(EVENTS))
    if unknown or not events:
        raise UsageError(f"no event is called {listed(unknown)}; there are {', '.join(EVENTS)}")
    secret, now = secrets.token_urlsafe(32), context.wall.now()
    wanted = tuple(dict.fromkeys(events))

    def unit(connection: Connection) -> int:
        number = outbox.store_webhook(
            connection, url=checked, secret=secret, events=wanted, by=checked_name(by), now=now
        )
        write_down(context, connection, by, "add webhook", str(number), f"{masked(checked)}: {', '.join(wanted)}")
        return number

    return context.database.write_unit(unit), secret


def list_webhooks(context: JobContext) -> list[outbox.WebhookRow]:
    """The webhooks in use."""
    with context.database.read() as connection:
        return outbox.load_webhooks(connection)


def remove_webhook(context: JobContext, webhook_id: int, *, by: By | None = None) -> None:
    """Tell a program no more; raise UsageError when there is none of that number."""
    now = context.wall.now()

    def unit(connection: Connection) -> None:
        if not outbox.remove_webhook(connection, webhook_id, now=now):
            raise UsageError(f"no webhook has the number {webhook_id}; webhooks list shows them")
        write_down(context, connection, by, "remove webhook", str(webhook_id))

    context.database.write_unit(unit)


def queue_test(context: JobContext, *, email: str | None = None, by: By | None = None) -> Queued:
    """Let a test message wait for every address (of one person) and every webhook."""
    now, key = context.wall.now(), f"test-{secrets.token_hex(8)}"
    user_id = None if email is None else _person(context, email).id
    with context.database.read() as connection:
        people_told = {one.user_id for one in outbox.load_addresses(connection, user_id=user_id)}
        hooks = [] if email is not None else outbox.load_webhooks(connection)
    message = Message(key, "error", "closingbell: a test", "If you read this, messages reach you.")
    body = json.dumps({"id": key, "event": TEST, "at": now.isoformat()})

    def unit(connection: Connection) -> int:
        count = outbox.queue_messages(connection, [message], sorted(people_told), now=now)
        if hooks:
            outbox.queue_event(connection, TEST, key=key, body=body, now=now)
        count += len(hooks)
        if not count:
            raise UsageError("there is no address to send to; add one: closingbell addresses add E-MAIL URL")
        write_down(context, connection, by, "test addresses", email or "everybody", f"{count} addresses")
        return count

    return Queued(key, context.database.write_unit(unit))


def queue_own_test(context: JobContext, *, email: str, by: By) -> Queued:
    """Let a test message wait for every address of whoever asks; raise UsageError where they ask too often."""
    if not list_addresses(context, user_id=_person(context, email).id):
        raise UsageError("you have no address yet; add one first")
    key = hashlib.sha256(f"test-notification {email}".encode()).hexdigest()
    if take_try(context, key, OWN_TESTS) is None:
        minutes = int(OWN_TESTS.within.total_seconds()) // 60
        raise UsageError(f"{OWN_TESTS.most} tests in {minutes} minutes are enough; wait a little")
    return queue_test(context, email=email, by=by)


def last_failures(context: JobContext, key: str) -> list[outbox.NotSent]:
    """Where a message has not arrived so far, and why."""
    with context.database.read() as connection:
        return outbox.load_not_sent(connection, key)
