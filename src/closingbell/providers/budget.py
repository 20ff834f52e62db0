"""The request budget: one per source, shared by every process of this user on this machine."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import structlog
from pyrate_limiter import Duration, Rate, RateItem, SQLiteBucket

from closingbell.domain.provider_health import BudgetLeft
from closingbell.errors import RateLimitedError
from closingbell.utils.clock import Clock, SystemClock
from closingbell.utils.waiting import pause

BUDGET_PAUSED = "budget.paused"
BUDGET_NOT_SHARED = "budget.not_shared"

# A pause up to this long is waited out; a longer one is told to the caller at once.
LONGEST_WAIT_S = 120.0
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 3600.0

# As the limiter keeps it: one row a request, its time in milliseconds.
_SENT_SINCE = "SELECT count(*) FROM rate_bucket WHERE item_timestamp >= ?"
_MINUTE_MS = 60_000

_log = structlog.get_logger(__name__)


def budget_left(folder: Path, *, per_minute: int = 0, per_hour: int = 0) -> BudgetLeft | None:
    """What is left of the budget in ``folder``, by whichever limit is set; None without one. Takes nothing of it."""
    most, window = (per_minute, "minute") if per_minute else (per_hour, "hour")
    if not most:
        return None
    since = int(SystemClock().now().timestamp() * 1000) - (_MINUTE_MS if per_minute else 60 * _MINUTE_MS)
    file = folder / "budget.sqlite"
    if not file.exists():
        return BudgetLeft(most, most, window)
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            sent = connection.execute(_SENT_SINCE, (since,)).fetchone()[0]
    except sqlite3.Error:
        # A file that cannot be read is no budget that anybody shares.
        return None
    return BudgetLeft(max(most - sent, 0), most, window)


class RequestBudget:
    """At most ``per_minute`` requests in any minute and ``per_hour`` in any hour (0: any number), none while paused.

    ``folder`` holds the shared state; where it cannot be written the budget is this process's own. Pauses are in real
    time even in a replay: it is the real server that asked for them.
    """

    def __init__(self, per_minute: int, *, folder: Path, per_hour: int = 0, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._pause_file: Path | None = folder / "paused.json"
        self._paused: dict[str, float] = {}
        self._folder = folder
        limits = ((per_minute, Duration.MINUTE), (per_hour, Duration.HOUR))
        self._rates = [Rate(count, duration) for count, duration in limits if count]
        # Opened by the first request: whoever only looks at a provider opens and writes nothing.
        self._bucket: SQLiteBucket | None = None

    def _open_bucket(self) -> SQLiteBucket:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = str(self._folder / "budget.sqlite")
            return SQLiteBucket.init_from_file(self._rates, db_path=file, use_file_lock=True)
        except (OSError, sqlite3.Error) as error:
            return self._bucket_of_our_own(error)

    def _bucket_of_our_own(self, error: Exception) -> SQLiteBucket:
        """A budget that no other process shares, because the folder cannot be used."""
        _log.warning(BUDGET_NOT_SHARED, folder=str(self._folder), error=str(error))
        self._pause_file = None
        if self._bucket is not None:
            cast(Any, self._bucket).close()
        return SQLiteBucket.init_from_file(self._rates, db_path=":memory:")

    def close(self) -> None:
        """Let go of the file; a later request opens it again."""
        with self._lock:
            if self._bucket is not None:
                cast(Any, self._bucket).close()
                self._bucket = None

    def acquire(self) -> None:
        """Wait until one more request may be sent; raise RateLimitedError when that is too long to wait for."""
        self._wait_for_pause()
        while (wait_ms := self._take()) > 0:
            if wait_ms > LONGEST_WAIT_S * 1000:
                wait_s = wait_ms / 1000
                raise RateLimitedError(f"the budget is used up, again in {wait_s:.0f} s", retry_after_s=wait_s)
            pause(max(wait_ms, 10) / 1000)

    def note_extra(self) -> None:
        """Count a request that a library sent on its own, where the minute has room for it; it does not wait."""
        self._take()

    def _take(self) -> int:
        """Count one request and return 0, or the milliseconds until there is room for it."""
        if not self._rates:
            return 0
        with self._lock:
            if self._bucket is None:
                self._bucket = self._open_bucket()
            try:
                return self._take_from(self._bucket)
            except (OSError, sqlite3.Error) as error:
                self._bucket = self._bucket_of_our_own(error)
                return self._take_from(self._bucket)

    def _take_from(self, bucket: SQLiteBucket) -> int:
        # On the bucket's own clock, in milliseconds.
        now = cast(int, cast(Any, bucket).now())
        item = RateItem("request", now)
        if bucket.put(item):
            return 0
        bucket.leak(now)
        return max(cast(int, bucket.waiting(item)), 1)

    def pause_for(self, seconds: float | None, *, reason: str) -> float:
        """Stop all requests of this user's processes for a while; doubles each time when no time is named."""
        with self._lock:
            state = self._read_pause()
            strikes = int(state.get("strikes", 0)) + 1
            length = min(seconds if seconds is not None else FIRST_PAUSE_S * 2 ** (strikes - 1), LONGEST_PAUSE_S)
            until = self._clock.now() + timedelta(seconds=length)
            self._write_pause({"until": until.timestamp(), "strikes": strikes, "reason": reason})
        _log.warning(BUDGET_PAUSED, seconds=round(length, 1), reason=reason)
        return length

    def note_success(self) -> None:
        """An answer came: the next pause starts small again."""
        if self._paused.get("strikes"):
            with self._lock:
                self._write_pause({})

    def paused_s(self) -> float:
        """Seconds that the current pause still lasts; 0 when there is none."""
        until = float(self._read_pause().get("until", 0.0))
        return max(0.0, until - self._clock.now().timestamp())

    def _wait_for_pause(self) -> None:
        left = self.paused_s()
        if left > LONGEST_WAIT_S:
            raise RateLimitedError(f"rate limited, again in {left:.0f} s", retry_after_s=left)
        pause(left)

    def _read_pause(self) -> dict[str, Any]:
        if self._pause_file is not None:
            try:
                state = json.loads(self._pause_file.read_text(encoding="utf-8"))
                self._paused = {name: float(state.get(name, 0)) for name in ("until", "strikes")}
            except FileNotFoundError:
                self._paused = {}
            except (OSError, ValueError, TypeError, AttributeError):
                # Not readable, or not ours: what was known a moment ago still holds.
                pass
        return self._paused

    def _write_pause(self, state: dict[str, Any]) -> None:
        self._paused = state
        if self._pause_file is None:
            return
        try:
            self._pause_file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._pause_file.with_suffix(f".{threading.get_ident()}.tmp")
            draft.write_text(json.dumps(state), encoding="utf-8")
            draft.replace(self._pause_file)
        except OSError as error:
            _log.warning(BUDGET_NOT_SHARED, folder=str(self._pause_file.parent), error=str(error))
            self._pause_file = None
