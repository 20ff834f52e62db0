"""Sends what waits in the outbox, after commit and beside the runs: at least once, each try with the same key."""

from __future__ import annotations

import structlog

from closingbell.jobs.context import JobContext
from closingbell.notifications.senders import Failure, send_to_person, send_to_webhook
from closingbell.stores import outbox
from closingbell.stores.outbox import WEBHOOK, Waiting

MESSAGE_SENT = "outbox.sent"
MESSAGE_NOT_SENT = "outbox.not_sent"
# With every one of them at its time limit still well within a claim.
AT_ONCE = 10

_log = structlog.get_logger(__name__)


def deliver(context: JobContext, owner: str) -> int:
    """Send what is due now; return how many messages were tried. The database is closed while one is sent."""
    with context.database.read() as connection:
        if not outbox.has_due(connection, wall=context.wall.now()):
            return 0
    claimed = context.database.write_unit(
        lambda connection: outbox.claim_due(connection, owner, wall=context.wall.now(), limit=AT_ONCE)
    )
    for message in claimed:
        _deliver(context, owner, message)
    return len(claimed)


def _deliver(context: JobContext, owner: str, message: Waiting) -> None:
    failure = _send(context, message)
    wall = context.wall.now()
    if failure is None:
        context.database.write_unit(lambda connection: outbox.store_sent(connection, message.id, owner, wall=wall))
        _log.info(MESSAGE_SENT, message=message.id, channel=message.channel, key=message.dedupe_key)
        return
    _log.warning(MESSAGE_NOT_SENT, message=message.id, channel=message.channel, why=failure.why)
    context.database.write_unit(
        lambda connection: outbox.store_not_sent(
            connection, message, owner, why=failure.why, is_final=failure.is_final, wall=wall
        )
    )


def _send(context: JobContext, message: Waiting) -> Failure | None:
    if message.url is None:
        return Failure("the address was removed", is_final=True)
    if message.channel == WEBHOOK:
        at = int(context.wall.now().timestamp())
        return send_to_webhook(
            message.url, message.secret or "", event=message.title, key=message.dedupe_key, body=message.body, at=at
        )
    return send_to_person(message.url, title=message.title, body=message.body, key=message.dedupe_key)
