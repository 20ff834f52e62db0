"""Session hours of an exchange: when a session opens and closes, and the early closes of New York.

The days themselves are not listed here: a session is a day for which a listing has a bar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from zoneinfo import ZoneInfo

ONE_O_CLOCK = time(13, 0)

# 13:00 closes of the New York exchanges, 2000-03-01 to 2013-03-01. Typed out because no rule gives them:
# the day around Independence Day moved with the year, and 2003-12-26 was declared once.
_MONTH_DAYS = {
    2000: ("07-03", "11-24"),
    2001: ("07-03", "11-23", "12-24"),
    2002: ("07-05", "11-29", "12-24"),
    2003: ("07-03", "11-28", "12-24", "12-26"),
    2004: ("11-26",),
    2005: ("11-25",),
    2006: ("07-03", "11-24"),
    2007: ("07-03", "11-23", "12-24"),
    2008: ("07-03", "11-28", "12-24"),
    2009: ("11-27", "12-24"),
    2010: ("11-26",),
    2011: ("11-25",),
    2012: ("07-03", "11-23", "12-24"),
}

NEW_YORK_EARLY_CLOSES: Mapping[date, time] = MappingProxyType(
    {date.fromisoformat(f"{year}-{day}"): ONE_O_CLOCK for year, days in _MONTH_DAYS.items() for day in days}
)


@dataclass(frozen=True)
class Hours:
    """Opening hours of an exchange in its own time zone; ``pre`` and ``post`` bound extended trading."""

    timezone: str = "America/New_York"
    open: time = time(9, 30)
    close: time = time(16, 0)
    early_closes: Mapping[date, time] = field(default_factory=dict)
    pre: time | None = None
    post_hours: int = 0

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's time zone."""
        return ZoneInfo(self.timezone)

    def opens_at(self, day: date) -> int:
        """Opening instant of ``day``, UTC seconds."""
        return self._instant(day, self.open)

    def closes_at(self, day: date) -> int:
        """Closing instant of ``day``, UTC seconds; early where the exchange closed early."""
        return self._instant(day, self.early_closes.get(day, self.close))

    def extended(self, day: date) -> tuple[int, int]:
        """Start of pre-market and end of after-hours trading of ``day``, UTC seconds."""
        pre = self._instant(day, self.pre or self.open)
        return pre, self.closes_at(day) + self.post_hours * 3600

    def local_date(self, instant_s: int) -> date:
        """The exchange's calendar day at an instant."""
        return self._local(instant_s).date()

    def offset(self, instant_s: int) -> tuple[str, int]:
        """Abbreviation and offset from UTC in seconds at an instant, as ``("EST", -18000)``."""
        local = self._local(instant_s)
        utc_offset = local.utcoffset()
        return local.tzname() or "UTC", int(utc_offset.total_seconds()) if utc_offset else 0

    def _local(self, instant_s: int) -> datetime:
        return datetime.fromtimestamp(instant_s, UTC).astimezone(self.zone)

    def _instant(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, tzinfo=self.zone).timestamp())


NEW_YORK = Hours(early_closes=NEW_YORK_EARLY_CLOSES, pre=time(4, 0), post_hours=4)
LONDON = Hours(timezone="Europe/London", open=time(8, 0), close=time(16, 30))
