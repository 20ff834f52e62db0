"""The session in which something was carried out, from its instant: what the exchange calls that day."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime, timedelta

from closingbell.domain.planning import SessionList

# Trading goes on so long after the close and still counts for the session; New York's ends at 20:00.
AFTER_CLOSE = timedelta(hours=4)
# A weekend with holidays on either side.
_DAYS_OFF = timedelta(days=7)


def session_of(moment: datetime, market: SessionList) -> date | None:
    """The first session that had not ended at ``moment``, after-hours trading included; none where none is near."""
    start = bisect_left(market.dates, (moment - _DAYS_OFF).date())
    for day in market.dates[start:]:
        if market.close_at[day] + AFTER_CLOSE > moment:
            return day if abs(day - moment.date()) <= _DAYS_OFF else None
    return None
