"""The only place that looks at the wall clock; everything else is told the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from closingbell.errors import NaiveDatetimeError


class Clock(Protocol):
    """Tells the time, aware and in UTC."""

    def now(self) -> datetime:
        """The present instant, aware UTC."""
        ...


def require_aware(moment: datetime, *, what: str = "datetime") -> datetime:
    """Return ``moment`` in UTC; raise NaiveDatetimeError when it has no zone."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise NaiveDatetimeError(f"{what} {moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class OffsetClock:
    """Starts at a given instant and runs at the machine's pace from there."""

    def __init__(self, start: datetime) -> None:
        self._start = require_aware(start, what="clock start")
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)


class FixedClock:
    """Stands still until it is moved; shipped for tests and simulations."""

    def __init__(self, now: datetime) -> None:
        self._now = require_aware(now, what="clock")

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Move to ``now``, forwards or back."""
        self._now = require_aware(now, what="clock")

    def advance(self, by: timedelta) -> None:
        """Move on by ``by``."""
        self._now += by
