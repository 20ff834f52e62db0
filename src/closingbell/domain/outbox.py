"""What goes out: to whom a message is worth sending, when to try again, how a program knows that it is from us."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import datetime, timedelta

from closingbell.domain.incidents import MOST_NAMED, QUIET_KINDS
from closingbell.domain.runs import RunEnd, RunStatus

LEVELS = ("info", "warning", "error")

CLOSES_STORED, DIVIDENDS_PAID, RUN_FAILED, TEST = "closes.stored", "dividends.paid", "run.failed", "test"
EVENTS = (CLOSES_STORED, DIVIDENDS_PAID, RUN_FAILED)
_STORING = frozenset({"daily_price_update", "refresh_prices", "price_sweep"})

# What is sent to one server alone, that of the service; nothing after a question mark, for options may name another
# server or a file of this one.
_HOSTED = re.compile(
    r"(?:slack|tgram|discord|pover|pagerduty)://[A-Za-z0-9_.:@/#+=~-]+|ntfys?://(?:ntfy\.sh/)?[A-Za-z0-9_-]+/?"
)
HOSTED = "slack://, tgram://, discord://, pover://, pagerduty://, ntfy://TOPIC"

# After each failed try; a message that could not be sent in about two days is given up.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60, 120, 240, 480, 720, 1080))


def is_worth(level: str, *, at_least: str) -> bool:
    """Whether a message of ``level`` is sent to an address that takes ``at_least`` and above."""
    return LEVELS.index(level) >= LEVELS.index(at_least)


def names_a_server(url: str) -> bool:
    """Whether an address may choose which server is called: one inside this network, which only we can reach."""
    return _HOSTED.fullmatch(url) is None


def next_try_at(try_count: int, *, now: datetime) -> datetime | None:
    """When to try again after ``try_count`` failed tries; None is never."""
    return now + WAITS[try_count - 1] if try_count <= len(WAITS) else None


def signature(secret: str, *, at: int, body: bytes) -> str:
    """``t=1353968460,v1=…``: HMAC-SHA256 of ``t``, a dot and the body; ``t`` (seconds) dates it."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def events_of(end: RunEnd, *, stored_count: int) -> list[str]:
    """The events that a run's end is; one that only looked is none."""
    found = []
    if end.status is not RunStatus.SUCCESS and end.kind not in QUIET_KINDS:
        found.append(RUN_FAILED)
    if stored_count and end.job_name in _STORING:
        found.append(CLOSES_STORED)
    if end.paid is not None and end.paid.payment_count:
        found.append(DIVIDENDS_PAID)
    return found


def event_body(event: str, key: str, end: RunEnd, *, stored_count: int, now: datetime) -> str:
    """What a webhook is sent of a run, as JSON; the API has the rest by the run's number."""
    run = {
        "id": end.run_id,
        "job_name": end.job_name,
        "status": end.status.value,
        "message": end.message,
        "stored_count": stored_count,
        "failed_symbols": list(end.failed_symbols[:MOST_NAMED]),
        "failed_count": len(end.failed_symbols),
    }
    body = {"id": key, "event": event, "at": now.isoformat(), "run": run}
    if event == DIVIDENDS_PAID and end.paid is not None:
        body["paid"] = end.paid.in_json()
    return json.dumps(body)


def masked(url: str) -> str:
    """An address as it may be shown: its kind, and nothing of what follows."""
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://…" if separator else "…"
