"""Addresses, webhooks, and the messages that wait for them: written with what they tell of, claimed to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select, update

from closingbell.domain.incidents import Message
from closingbell.domain.outbox import TEST, is_worth, names_a_server, next_try_at
from closingbell.models import MessageAddress, OutboxMessage, User, Webhook
from closingbell.stores.upsert import insert_one, upsert

ADDRESS, WEBHOOK = "address", "webhook"
# A sender that has not said how it ended after so long is taken for dead; others may send then.
CLAIM_LASTS = timedelta(minutes=5)

_KEY = ("channel", "target_id", "dedupe_key")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a person's messages of ``level`` and above go; ``is_administrators`` says whose it is."""

    id: int
    user_id: int
    email: str
    url: str = field(repr=False)
    level: str
    created_at: datetime
    is_administrators: bool = False


@dataclass(frozen=True, slots=True)
class LastMessage:
    """The newest message to an address: since when it waits or when it was done, whether it arrived, and why not."""

    at: datetime
    is_sent: bool
    why: str | None


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A program that is told of events."""

    id: int
    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...]
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that was claimed: ``url`` and ``secret`` of its target, None where the target is gone."""

    id: int
    channel: str
    dedupe_key: str
    level: str
    title: str
    body: str
    created_at: datetime
    try_count: int
    url: str | None = field(repr=False)
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotSent:
    """A target that a message did not reach so far, and why; addresses by number, for they hold secrets."""

    target: str
    why: str


# --- Targets.


def store_address(connection: Connection, *, user_id: int, url: str, level: str, now: datetime) -> int:
    """Store where a person's messages go, return its number."""
    row = {"user_id": user_id, "url": url, "level": level, "created_at": now}
    return insert_one(connection, MessageAddress, row)


def load_addresses(connection: Connection, *, user_id: int | None = None) -> list[Address]:
    """The addresses in use of active people, of one or of all."""
    row = MessageAddress
    query = (
        select(row.id, row.user_id, User.email, row.url, row.level, row.created_at, User.is_administrator)
        .join(User, User.id == row.user_id)
        .where(row.removed_at.is_(None), User.is_active.is_(True))
        .order_by(User.email, row.id)
    )
    if user_id is not None:
        query = query.where(row.user_id == user_id)
    return [Address(*found) for found in connection.execute(query)]


def store_level(connection: Connection, address_id: int, level: str, *, user_id: int | None = None) -> bool:
    """From which level on an address is sent to; only one of that person where ``user_id`` is given.

    False when there is none.
    """
    row = MessageAddress
    change = update(row).where(row.id == address_id, row.removed_at.is_(None)).values(level=level)
    if user_id is not None:
        change = change.where(row.user_id == user_id)
    return connection.execute(change).rowcount == 1


def load_last_messages(connection: Connection, address_ids: Sequence[int]) -> dict[int, LastMessage]:
    """The newest message to each of these addresses."""
    row = OutboxMessage
    newest = (
        select(func.max(row.id)).where(row.channel == ADDRESS, row.target_id.in_(address_ids)).group_by(row.target_id)
    )
    query = select(row.target_id, row.created_at, row.done_at, row.is_sent, row.last_error).where(row.id.in_(newest))
    return {
        target: LastMessage(done_at or created_at, is_sent, why)
        for target, created_at, done_at, is_sent, why in connection.execute(query)
    }


def remove_address(connection: Connection, address_id: int, *, now: datetime, user_id: int | None = None) -> bool:
    """Use an address no more; only one of that person where ``user_id`` is given. False when there is none."""
    row = MessageAddress
    change = update(row).where(row.id == address_id, row.removed_at.is_(None)).values(removed_at=now)
    if user_id is not None:
        change = change.where(row.user_id == user_id)
    return connection.execute(change).rowcount == 1


def store_webhook(
    connection: Connection, *, url: str, secret: str, events: Sequence[str], by: str, now: datetime
) -> int:
    """Store a webhook, return its number."""
    values = {"url": url, "secret": secret, "events": " ".join(events), "created_by": by, "created_at": now}
    return insert_one(connection, Webhook, values)


def load_webhooks(connection: Connection) -> list[WebhookRow]:
    """The webhooks in use."""
    row = Webhook
    query = select(row.id, row.url, row.secret, row.events, row.created_at, row.created_by)
    found = connection.execute(query.where(row.removed_at.is_(None)).order_by(row.id))
    return [WebhookRow(one.id, one.url, one.secret, tuple(one.events.split()), *one[4:]) for one in found]


def remove_webhook(connection: Connection, webhook_id: int, *, now: datetime) -> bool:
    """Use a webhook no more; False when there is none of that number."""
    row = Webhook
    change = update(row).where(row.id == webhook_id, row.removed_at.is_(None)).values(removed_at=now)
    return connection.execute(change).rowcount == 1


# --- What waits.


def queue_messages(
    connection: Connection, messages: Sequence[Message], user_ids: Sequence[int], *, now: datetime
) -> int:
    """Let messages to these people also go to their addresses; part of the transaction that writes them.

    For how many they wait now.
    """
    people = set(user_ids)
    # Whoever is no administrator any more keeps no way to a server of their choice.
    addresses = [
        one
        for one in load_addresses(connection)
        if one.user_id in people and (one.is_administrators or not names_a_server(one.url))
    ]
    count = 0
    for message in messages:
        targets = [one.id for one in addresses if is_worth(message.level, at_least=one.level)]
        _queue(connection, ADDRESS, targets, message, now)
        count += len(targets)
    return count


def queue_event(connection: Connection, event: str, *, key: str, body: str, now: datetime) -> None:
    """Let every webhook that wants ``event`` be told ``body`` (JSON), once per ``key``."""
    targets = [one.id for one in load_webhooks(connection) if event in one.events or event == TEST]
    _queue(connection, WEBHOOK, targets, Message(key, "info", event, body), now)


def _queue(connection: Connection, channel: str, targets: Sequence[int], message: Message, now: datetime) -> None:
    rows = [
        {
            "channel": channel,
            "target_id": target,
            "dedupe_key": message.key[:140],
            "level": message.level,
            "title": message.title[:200],
            "body": message.body,
            "created_at": now,
            # A simulated clock is behind the real one, by which messages are sent: due at once.
            "next_try_at": now,
            "try_count": 0,
            "is_sent": False,
        }
        for target in targets
    ]
    upsert(connection, OutboxMessage, rows, key=_KEY)


def load_not_sent(connection: Connection, key: str) -> list[NotSent]:
    """Where the message of a key has not arrived."""
    row = OutboxMessage
    query = select(row.channel, row.target_id, row.last_error).where(row.dedupe_key == key, row.is_sent.is_(False))
    return [
        NotSent(f"{channel} {target}", why or "not tried yet")
        for channel, target, why in connection.execute(query.order_by(row.id))
    ]


def has_due(connection: Connection, *, wall: datetime) -> bool:
    """Whether anything waits to be sent now; a quick look, many times a minute."""
    row = OutboxMessage
    return connection.scalar(select(row.id).where(row.done_at.is_(None), row.next_try_at <= wall).limit(1)) is not None


def claim_due(connection: Connection, owner: str, *, wall: datetime, limit: int) -> list[Waiting]:
    """Claim messages that are due and that no living sender holds, the oldest first."""
    row = OutboxMessage
    is_free = or_(row.claimed_until.is_(None), row.claimed_until <= wall)
    due = select(row.id).where(row.done_at.is_(None), row.next_try_at <= wall, is_free).order_by(row.id).limit(limit)
    ours = []
    for message_id in connection.scalars(due).all():
        # Another sender may have read the same list; the row count says whose it is.
        claimed = connection.execute(
            update(row)
            .where(row.id == message_id, row.done_at.is_(None), is_free)
            .values(owner=owner, claimed_until=wall + CLAIM_LASTS, try_count=row.try_count + 1)
        )
        if claimed.rowcount == 1:
            ours.append(message_id)
    return _load_claimed(connection, ours)


def _load_claimed(connection: Connection, ids: Sequence[int]) -> list[Waiting]:
    row, address, hook = OutboxMessage, MessageAddress, Webhook
    names = ("id", "channel", "dedupe_key", "level", "title", "body", "created_at", "try_count")
    columns = [getattr(row, name) for name in names]
    query = (
        select(*columns, func.coalesce(address.url, hook.url), hook.secret)
        .outerjoin(address, (row.channel == ADDRESS) & (address.id == row.target_id) & address.removed_at.is_(None))
        .outerjoin(hook, (row.channel == WEBHOOK) & (hook.id == row.target_id) & hook.removed_at.is_(None))
        .where(row.id.in_(ids))
        .order_by(row.id)
    )
    return [Waiting(*tuple(found)) for found in connection.execute(query)]


def store_sent(connection: Connection, message_id: int, owner: str, *, wall: datetime) -> bool:
    """Write down that a message arrived; False when it is no longer ours."""
    return _finish(connection, message_id, owner, done_at=wall, is_sent=True, last_error=None)


def store_not_sent(
    connection: Connection, message: Waiting, owner: str, *, why: str, is_final: bool, wall: datetime
) -> bool:
    """Write down why a message did not arrive, and when it is tried again, if ever; False when it is not ours."""
    again = None if is_final else next_try_at(message.try_count, now=wall)
    values = {"done_at": wall} if again is None else {"next_try_at": again}
    return _finish(connection, message.id, owner, last_error=why[:200], claimed_until=None, **values)


def _finish(connection: Connection, message_id: int, owner: str, **values: object) -> bool:
    row = OutboxMessage
    change = update(row).where(row.id == message_id, row.owner == owner, row.done_at.is_(None)).values(**values)
    return connection.execute(change).rowcount == 1
