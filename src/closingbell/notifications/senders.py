"""Sending one message: to a person's address by Apprise, to a program's webhook as signed JSON.

No error tells an address: it holds secrets.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from closingbell.domain.outbox import signature
from closingbell.errors import UsageError

TIMEOUT_S = 15.0
# Kinds of addresses that go to a person's own mailbox or chat; others of Apprise's run programs or touch this machine.
KINDS = (
    *("mailto", "mailtos", "slack", "tgram", "ntfy", "ntfys", "discord", "msteams", "matrix", "matrixs", "gotify"),
    *("gotifys", "pover", "mmost", "mmosts", "rocket", "rockets", "signal", "signals", "pagerduty", "json", "jsons"),
)
LONGEST = 1_000
_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message did not arrive, in a word; ``is_final`` when another try is no use."""

    why: str
    is_final: bool = False


def check_address(url: str) -> str:
    """A person's address as it is stored; raise UsageError, without the address, when it is none that is sent to."""
    text = url.strip()
    if len(text) > LONGEST or not text.isprintable():
        raise UsageError(f"an address has up to {LONGEST} characters, all of them in one line")
    scheme = text.partition("://")[0].lower()
    if scheme not in KINDS or "://" not in text:
        raise UsageError(f"an address begins with one of {', '.join(f'{kind}://' for kind in KINDS)}")
    if _apprise(text) is None:
        raise UsageError(f"that is not a whole {scheme}:// address; see Apprise's documentation of that kind")
    return text


def check_webhook(url: str) -> str:
    """A webhook's address as it is stored; raise UsageError when it cannot be one."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good or "@" in parts.netloc or any(letter.isspace() for letter in text):
        raise UsageError("a webhook is an http:// or https:// address without a password in it")
    return text


def send_to_person(url: str, *, title: str, body: str, key: str) -> Failure | None:
    """Send a message to an address; None when it was taken. ``key`` ends the text, so that a repeat is known."""
    found = _apprise(url)
    if found is None:
        return Failure("not an address any more", is_final=True)
    try:
        # Without its format Apprise would take it for what the receiver reads, markup in a mail.
        taken = found.notify(title=title, body=f"{body}\n\n[{key}]", body_format="text")
    except Exception as error:
        return Failure(type(error).__name__)
    return None if taken else Failure("not taken")


def _apprise(url: str) -> Any:
    """The library's sender to an address, or None where it is not one, or several, or reads a file of this machine."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415  (keeps it out of start-up; this module owns it)

    # It writes addresses into its log, secrets and all, when they are wrong; what failed is told by us.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = AppriseAsset(app_id="closingbell", app_desc="closingbell", app_url="", secure_logging=True)
    found = Apprise(asset=asset)
    # What stands behind a comma or a blank is another address to it, of any kind.
    is_one = found.add(url) and len(found) == 1
    return found if is_one and not any(getattr(one, "template", None) for one in found) else None


def send_to_webhook(url: str, secret: str, *, event: str, key: str, body: str, at: int) -> Failure | None:
    """POST an event; None when it was answered with 2xx. ``at`` are seconds since 1970, part of the signature."""
    data = body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "closingbell",
        "Closingbell-Event": event,
        "Closingbell-Id": key,
        "Closingbell-Signature": signature(secret, at=at, body=data),
    }
    request = Request(url, data=data, headers=headers, method="POST")  # noqa: S310  (check_webhook lets only http through)
    try:
        with build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S):
            return None
    except HTTPError as error:
        error.close()
        is_final = error.code < 500 and error.code not in _WORTH_ANOTHER_TRY
        return Failure(f"HTTP {error.code}", is_final)
    except URLError as error:
        return Failure(type(error.reason).__name__ if isinstance(error.reason, BaseException) else "URLError")
    except (OSError, HTTPException) as error:
        return Failure(type(error).__name__)


class _NoRedirects(HTTPRedirectHandler):
    """What is signed for one address goes to no other."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """No redirect is followed: it is an error."""
        return None
