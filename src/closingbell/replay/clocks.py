"""The replay's clock: somebody else's clock, which can be moved and made to run faster."""

from __future__ import annotations

from datetime import datetime, timedelta

from closingbell.utils.clock import Clock, FixedClock, SystemClock, require_aware


class ReplayClock:
    """Follows ``clock`` from an instant of its own, at ``speed`` times its pace; 0 stands still."""

    def __init__(self, clock: Clock | None = None, *, start: datetime | None = None, speed: float = 1.0) -> None:
        self._clock = clock or SystemClock()
        self._speed = speed
        began = self._clock.now()
        self._anchor = (began, require_aware(start, what="replay start") if start else began)

    def now(self) -> datetime:
        """The market's present instant, aware UTC."""
        began, start = self._anchor
        return start + (self._clock.now() - began) * self._speed

    @property
    def now_s(self) -> int:
        """The same in whole UTC seconds."""
        return int(self.now().timestamp())

    def set(self, now: datetime) -> None:
        """Move to ``now``, forwards or back."""
        now = require_aware(now, what="replay clock")
        if isinstance(self._clock, FixedClock):
            # Whoever shares the clock moves along.
            self._clock.set(now)
        self._anchor = (self._clock.now(), now)

    def advance(self, by: timedelta) -> None:
        """Move on by ``by``."""
        self.set(self.now() + by)
