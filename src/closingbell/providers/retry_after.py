"""What a Retry-After header asks for."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from closingbell.utils.clock import SystemClock

LONGEST_RETRY_AFTER_S = 3600.0


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number or a date; None when it is absent or unreadable."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - _now()).total_seconds()
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _now() -> datetime:
    """Real time: a Retry-After date is in the server's, not in a replay's."""
    return SystemClock().now()
