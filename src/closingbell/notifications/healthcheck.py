"""A dead-man's switch in the healthchecks protocol: told when runs begin and end, it alerts when it hears nothing.

Pings are sent by a thread of their own and never delay or fail a run. The address is a secret and is never logged.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError
from urllib.parse import SplitResult, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import structlog

from closingbell.domain.runs import RunEnd, RunStatus
from closingbell.errors import SettingsError

PING_FAILED = "healthcheck.ping_failed"
PING_DROPPED = "healthcheck.ping_dropped"
NOT_SENT = "healthcheck.not_sent"
NO_THREAD = "healthcheck.no_thread"

LONGEST_BODY = 1_000
# A run of one number has the same id in all its pings, so that begin and end are matched and its duration is known.
_RUNS = uuid.uuid5(uuid.NAMESPACE_DNS, "run.closingbell")
# Answers that another try may change.
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ping:
    """One message to the check: ``signal`` is ``/start``, ``/fail``, or nothing for success."""

    signal: str
    rid: str
    body: bytes = b""


class HealthcheckPinger:
    """Observes runs and tells a check of them; ``job_names`` restricts it to these jobs, None is all.

    A run that was only partly successful counts as success, with what it says in the body, unless ``partial_fails``.
    """

    def __init__(
        self,
        url: str,
        *,
        job_names: frozenset[str] | None = None,
        partial_fails: bool = False,
        timeout_s: float = 10.0,
        retry_waits_s: tuple[float, ...] = (1.0, 3.0),
        most_waiting: int = 64,
    ) -> None:
        self._url = check_url(url)
        self._job_names = job_names
        self._fails = {RunStatus.FAILED, RunStatus.PARTIAL} if partial_fails else {RunStatus.FAILED}
        self._timeout_s = timeout_s
        self._retry_waits_s = retry_waits_s
        self._most_waiting = most_waiting
        self._opener = build_opener(_SameHostRedirects)
        self._waiting: deque[Ping] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._has_dropped = False

    def started(self, run_id: int, job_name: str) -> None:
        """A run began."""
        if self._is_told_of(job_name):
            self._put(Ping("/start", rid_of(run_id)))

    def ended(self, end: RunEnd) -> None:
        """A run ended. One that was interrupted says nothing: it is taken up again, or the check misses its end."""
        if self._is_told_of(end.job_name) and end.kind != "interrupted":
            signal = "/fail" if end.status in self._fails else ""
            self._put(Ping(signal, rid_of(end.run_id), _shortened(end.message)))

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits, for at most ``timeout_s`` seconds; the rest, and what comes later, is not sent."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
        with self._changed:
            if self._waiting:
                _log.warning(NOT_SENT, count=len(self._waiting))
                self._waiting.clear()

    def _is_told_of(self, job_name: str) -> bool:
        return self._job_names is None or job_name in self._job_names

    def _put(self, ping: Ping) -> None:
        """Let the thread send it; the oldest makes room when too much waits."""
        with self._changed:
            if self._closing.is_set():
                return
            if len(self._waiting) >= self._most_waiting:
                self._waiting.popleft()
                self._log_dropped()
            self._waiting.append(ping)
            self._start_thread()
            self._changed.notify()

    def _log_dropped(self) -> None:
        """Say it once until the check is heard of again."""
        if not self._has_dropped:
            _log.warning(PING_DROPPED, most_waiting=self._most_waiting)
        self._has_dropped = True

    def _start_thread(self) -> None:
        """Start the thread with the first ping, and anew in a process that was forked off later."""
        if self._thread is not None and self._thread.is_alive():
            return
        thread = threading.Thread(target=self._work, name="healthcheck", daemon=True)
        try:
            thread.start()
            self._thread = thread
        except RuntimeError as error:
            # No more threads to be had, or the interpreter is ending: the run goes on, the check will notice.
            _log.warning(NO_THREAD, error=type(error).__name__)

    def _work(self) -> None:
        while (ping := self._next()) is not None:
            self._send(ping)

    def _next(self) -> Ping | None:
        """The oldest ping, waiting for one; None when none will come any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
            return self._waiting.popleft() if self._waiting else None

    def _send(self, ping: Ping) -> None:
        """Send a ping, again after each of the waits while that may help."""
        for wait_s in (*self._retry_waits_s, None):
            # Only the error's type is told: its text may hold the address.
            error, may_help = self._try(ping)
            if error is None:
                self._has_dropped = False
                return
            if wait_s is None or not may_help:
                _log.warning(PING_FAILED, signal=ping.signal or "/success", error=error)
                return
            self._closing.wait(wait_s)

    def _try(self, ping: Ping) -> tuple[str | None, bool]:
        """Send a ping once: the error in a word (None: it arrived), and whether another try may help."""
        request = Request(  # noqa: S310  (check_url lets only http and https through)
            _address(self._url, ping),
            data=ping.body,
            method="POST",
            headers={"Content-Type": "text/plain; charset=utf-8", "User-Agent": "closingbell"},
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s):
                return None, False
        except HTTPError as error:
            error.close()
            return f"HTTP {error.code}", error.code in _WORTH_ANOTHER_TRY
        except (OSError, HTTPException) as error:
            return _cause(error), True
        except Exception as error:
            # Whatever it is, the thread must live on for the next ping.
            return type(error).__name__, False


def check_url(url: str) -> SplitResult:
    """The address of a check, taken apart; raise SettingsError, without the address, when it cannot be one."""
    try:
        parts = urlsplit(url.strip())
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good or "@" in parts.netloc or any(character.isspace() for character in parts.geturl()):
        raise SettingsError("HEALTHCHECK_URL: must be the address of a check, https://host/key; its value is not shown")
    return parts


def rid_of(run_id: int) -> str:
    """The id that all pings of a run carry."""
    return str(uuid.uuid5(_RUNS, str(run_id)))


def _address(url: SplitResult, ping: Ping) -> str:
    """The check's address with the signal in its path and the run's id in its query; what its query had stays."""
    query = "&".join(part for part in (url.query, urlencode({"rid": ping.rid})) if part)
    return url._replace(path=url.path.rstrip("/") + ping.signal, query=query, fragment="").geturl()


def _shortened(message: str) -> bytes:
    """A message as UTF-8 of at most a thousand bytes, no character cut in half."""
    return message.encode("utf-8", "replace")[:LONGEST_BODY].decode("utf-8", "ignore").encode("utf-8")


def _cause(error: BaseException) -> str:
    """The type of what lies behind an error of the library: ConnectionRefusedError rather than URLError."""
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, BaseException) else error).__name__


class _SameHostRedirects(HTTPRedirectHandler):
    """Follows redirects only within the host: the address is a secret, and no other host is to learn it."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """The request to follow with, or None: then the redirect is an error."""
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if after.hostname != before.hostname or (before.scheme == "https" and after.scheme != "https"):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)
