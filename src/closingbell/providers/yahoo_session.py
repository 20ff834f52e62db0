"""The way to Yahoo: yfinance's own session (cookie, crumb, browser impersonation), bounded and counted.

yfinance keeps what only it knows; every request that it sends goes through our subclass of its session class, which
clamps it to the caller's deadline, counts it, and turns refusals into our errors before the library repeats them.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
import structlog

from closingbell.errors import (
    BadAnswerError,
    DeadlineExceededError,
    NoDataError,
    ProviderError,
    RateLimitedError,
    SourceDownError,
    SymbolUnknownError,
)
from closingbell.providers.budget import RequestBudget
from closingbell.providers.meter import note_sent
from closingbell.providers.retry_after import retry_after_s
from closingbell.utils.deadlines import DeadlinePool

CACHE_NOT_KEPT = "yahoo.cache_not_kept"

NAME = "yahoo"
DATA_HOST = "https://query2.finance.yahoo.com"
LARGEST_ANSWER_BYTES = 32 * 1024 * 1024
# The client counts in whole milliseconds, and 0 of them means that it waits for ever.
SHORTEST_TIMEOUT_S = 0.01

# Status of a refused data request -> error class and what it means. 401 and 403 are left to the library, which asks
# for a new crumb and repeats once. Everything from 500 on is the source being down.
REFUSALS: dict[int, tuple[type[ProviderError], str]] = {
    400: (NoDataError, "Yahoo has no data for that range"),
    404: (SymbolUnknownError, "Yahoo does not know this symbol"),
    422: (NoDataError, "Yahoo does not serve that range at that interval"),
    429: (RateLimitedError, "Yahoo asks for fewer requests"),
}
_DATA_PATHS = ("/v7/", "/v8/", "/v10/")
_NO_ACCESS = (401, 403)

_deadline = threading.local()
_log = structlog.get_logger(__name__)


class YahooSession:
    """Sends requests to Yahoo, or to ``base_url`` in its place; safe to use from many threads."""

    def __init__(
        self, *, base_url: str, timeout_s: float, concurrency: int, budget: RequestBudget, cache_dir: Path
    ) -> None:
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._budget = budget
        self._cache_dir = cache_dir
        self._pool = DeadlinePool(concurrency, name="Yahoo")
        self._building = threading.Lock()
        self._counting = threading.Lock()
        self._library: Any = None
        self.request_count = 0

    def get(self, path: str, symbol: str | None, params: Mapping[str, Any]) -> Any:
        """The decoded JSON of ``path`` (and ``symbol`` below it); raise a ProviderError for everything else.

        Waits for the budget first; the deadline starts after that.
        """
        library = self._library or self._build()
        self._budget.acquire()
        url = DATA_HOST + path + (f"/{quote(symbol, safe='')}" if symbol is not None else "")
        try:
            body = self._pool.call(lambda: self._ask(library, url, params), timeout_s=self._timeout_s + 1)
        except RateLimitedError as error:
            error.retry_after_s = self._budget.pause_for(error.retry_after_s, reason=str(error))
            raise
        self._budget.note_success()
        return _decode(body)

    def close(self) -> None:
        """Let the idle threads end, and go of the budget's file."""
        self._pool.close()
        self._budget.close()

    def _ask(self, library: Any, url: str, params: Mapping[str, Any]) -> bytes:
        """One call of the library; runs in a thread of the pool."""
        _deadline.at = time.monotonic() + self._timeout_s
        _deadline.is_first = True
        try:
            response = library.get(url, params=dict(params), timeout=self._timeout_s)
        except ProviderError:
            raise
        except Exception as error:
            raise _translated(error) from None
        if response.status_code >= 400:
            raise SourceDownError(f"Yahoo refused the request (HTTP {response.status_code}), also with a new crumb")
        content: bytes = response.content
        return content

    def _build(self) -> Any:
        """yfinance's data object on a session of ours, made once; importing it takes about a second."""
        with self._building:
            if self._library is None:
                import yfinance  # noqa: PLC0415  (keeps pandas out of start-up; the yahoo modules own it)
                from curl_cffi import CurlOpt  # noqa: PLC0415  (keeps it out of start-up)
                from curl_cffi.requests import Session  # noqa: PLC0415  (keeps it out of start-up)
                from yfinance.data import YfData  # noqa: PLC0415  (keeps pandas out of start-up)

                yfinance.set_tz_cache_location(str(_writable(self._cache_dir)))
                session = self._session_class(Session)(
                    impersonate="chrome", curl_options={CurlOpt.MAXFILESIZE_LARGE: LARGEST_ANSWER_BYTES}
                )
                # The library's class is one object per process; a class of our own keeps sources apart.
                self._library = type("ClosingbellYahooData", (YfData,), {})(session=session)
            return self._library

    def _session_class(self, base: type[Any]) -> type[Any]:
        """The session class of the library's HTTP client with our bounds around every request."""
        outer = self

        class BoundedSession(base):  # type: ignore[misc]
            def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
                left = _time_left()
                kwargs["timeout"] = min(float(kwargs.get("timeout") or left), left)
                if outer._base_url:
                    url = "http://" + url.removeprefix("https://").removeprefix("http://")
                    kwargs["proxies"] = {"http": outer._base_url}
                outer._count()
                response = super().request(method, url, *args, **kwargs)
                if response.status_code >= 400 and urlsplit(url).path.startswith(_DATA_PATHS):
                    _raise_refusal(response)
                return response

        return BoundedSession

    def _count(self) -> None:
        with self._counting:
            self.request_count += 1
        note_sent(NAME)
        if not _deadline.is_first:
            self._budget.note_extra()
        _deadline.is_first = False


def _writable(folder: Path) -> Path:
    """``folder``, made if need be; a temporary one where that fails: without any each call costs a cookie."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        own = Path(tempfile.mkdtemp(prefix="closingbell-"))
        _log.warning(CACHE_NOT_KEPT, folder=str(folder), error=str(error), used=str(own))
        return own
    return folder


def _time_left() -> float:
    """Seconds until this thread's deadline; raise when there are none."""
    left = float(_deadline.at) - time.monotonic()
    if left < SHORTEST_TIMEOUT_S:
        raise DeadlineExceededError("Yahoo: the deadline passed before the request was sent")
    return left


def _raise_refusal(response: Any) -> None:
    """Raise our error for a refused data request; return for what the library should repeat with a new crumb."""
    status = int(response.status_code)
    if status in _NO_ACCESS:
        return
    if status >= 500:
        raise SourceDownError(f"Yahoo is down (HTTP {status})")
    kind, sentence = REFUSALS.get(status, (SourceDownError, "Yahoo refused the request"))
    message = f"{sentence} (HTTP {status}{_reason(response)})"
    if kind is RateLimitedError:
        raise RateLimitedError(message, retry_after_s=retry_after_s(response.headers.get("Retry-After")))
    raise kind(message)


def _reason(response: Any) -> str:
    """Yahoo's own words, if its answer is in the usual form."""
    try:
        body = orjson.loads(response.content)
        error = next(iter(body.values()))["error"]
        return f": {error['description']}"
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return ""


def _translated(error: Exception) -> ProviderError:
    """Our error for whatever the client library raised; names the kind, never the address with its parameters."""
    name = type(error).__name__
    if "RateLimit" in name:
        return RateLimitedError("Yahoo asks for fewer requests")
    if "Timeout" in name or isinstance(error, TimeoutError):
        return DeadlineExceededError("Yahoo: no answer before the deadline")
    return SourceDownError(f"Yahoo cannot be reached ({name})")


def _decode(body: bytes) -> Any:
    """The JSON of a successful answer; a page instead of data is the source being down."""
    try:
        return orjson.loads(body)
    except ValueError:
        start = body[:200].lstrip().lower()
        if start.startswith((b"<!doctype", b"<html", b"will be right back")):
            raise SourceDownError("Yahoo sent a page instead of data") from None
        raise BadAnswerError("Yahoo sent an answer that is not JSON") from None
