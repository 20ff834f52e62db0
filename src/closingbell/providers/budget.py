"""The request budget: one per source, shared by every process of this user on this machine."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import structlog
from pyrate_limiter import Duration, Rate, RateItem, SQLiteBucket

from closingbell.errors import RateLimitedError
from closingbell.utils.clock import Clock, SystemClock
from closingbell.utils.waiting import pause

BUDGET_PAUSED = "budget.paused"
BUDGET_NOT_SHARED = "budget.not_shared"

# A pause up to this long is waited out; a longer one is told to the caller at once.
LONGEST_WAIT_S = 120.0
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 3600.0

_log = structlog.get_logger(__name__)


class RequestBudget:
    """At most ``per_minute`` requests in any minute (0: any number), and none while paused.

    ``folder`` holds the shared state; where it cannot be written the budget is this process's own. Pauses are in real
    time even in a replay: it is the real server that asked for them.
    """

    def __init__(self, per_minute: int, *, folder: Path, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._pause_file: Path | None = folder / "paused.json"
        self._paused: dict[str, float] = {}
        self._bucket = self._open_bucket(per_minute, folder) if per_minute else None

    def _open_bucket(self, per_minute: int, folder: Path) -> SQLiteBucket:
        rates = [Rate(per_minute, Duration.MINUTE)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return SQLiteBucket.init_from_file(rates, db_path=str(folder / "budget.sqlite"), use_file_lock=True)
        except OSError as error:
            _log.warning(BUDGET_NOT_SHARED, folder=str(folder), error=str(error))
            self._pause_file = None
            return SQLiteBucket.init_from_file(rates, db_path=":memory:")

    def acquire(self) -> None:
        """Wait until one more request may be sent; raise RateLimitedError when a pause is too long to wait for."""
        self._wait_for_pause()
        while self._bucket is not None:
            with self._lock:
                item = RateItem("request", self._stamp())
                if self._bucket.put(item):
                    return
                wait_ms = cast(int, self._bucket.waiting(item))
                self._bucket.leak()
            pause(max(wait_ms, 10) / 1000)

    def _stamp(self) -> int:
        """Now on the bucket's own clock, in milliseconds."""
        return cast(int, cast(Any, self._bucket).now())

    def note_extra(self) -> None:
        """Count a request that a library sent on its own; it does not wait, but later callers do."""
        if self._bucket is not None:
            with self._lock:
                self._bucket.put(RateItem("request", self._stamp()))

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
                self._paused = json.loads(self._pause_file.read_text(encoding="utf-8"))
            except FileNotFoundError:
                self._paused = {}
            except (OSError, ValueError):
                # Another process is just writing it: what was known a moment ago still holds.
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
