"""Requests and answers as values, and Yahoo's own error bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

import orjson

JSON_TYPE = "application/json;charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
TEXT_TYPE = "text/plain;charset=utf-8"

TOO_MANY_REQUESTS = b"Edge: Too Many Requests"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, wherever it came in; ``host`` is the host it was meant for."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def params(self) -> dict[str, str]:
        """The query string's parameters, decoded."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def cookie(self, name: str) -> str | None:
        """The value of a cookie, if it was sent."""
        try:
            found = SimpleCookie(self.headers.get("cookie", "")).get(name)
        except CookieError:
            return None
        return found.value if found else None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; ``is_silent`` never sends it, ``is_cut`` sends half of it and hangs up."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    is_silent: bool = False
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What the log keeps of a request."""

    at: datetime
    endpoint: str
    symbols: tuple[str, ...]
    status: int
    host: str
    target: str


def json_answer(document: Any, *, status: int = 200) -> Answer:
    """An answer of JSON."""
    return Answer(status, orjson.dumps(document))


def error_answer(family: str, status: int, code: str, description: str) -> Answer:
    """Yahoo's error body of one family of endpoints: chart, quoteSummary, finance."""
    error = {"code": code, "description": description}
    return json_answer({family: {"result": None, "error": error}}, status=status)


def unknown_chart() -> Answer:
    """The chart of a symbol that Yahoo does not know."""
    return error_answer("chart", 404, "Not Found", "No data found, symbol may be delisted")


def unknown_summary(symbol: str) -> Answer:
    """The summary of a symbol that Yahoo does not know."""
    return error_answer("quoteSummary", 404, "Not Found", f"Quote not found for symbol: {symbol}")


def unauthorized(description: str) -> Answer:
    """Refused for want of a cookie or a crumb."""
    return error_answer("finance", 401, "Unauthorized", description)


def rate_limited(retry_after_s: int | None) -> Answer:
    """Too many requests, with or without the time to wait."""
    headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
    return Answer(429, TOO_MANY_REQUESTS, TEXT_TYPE, headers)
