"""Is a market open now, and if not, why and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from closingbell.domain.planning import SessionTimes

# A session this much shorter than the usual one ends early.
_SHORT = 0.9


@dataclass(frozen=True, slots=True)
class MarketClock:
    """A market at one instant: ``next_open_at`` and ``next_close_at`` lie ahead (None where no session is known).

    ``is_early``: the session of now, or the next one, ends before its usual time. ``reason`` says why it is closed.
    """

    mic: str
    is_open: bool
    reason: str | None
    next_open_at: datetime | None
    next_close_at: datetime | None
    is_early: bool
    last_closed: date | None


def read_clock(
    mic: str, sessions: Sequence[SessionTimes], holidays: Mapping[date, str], *, now: datetime, zone: ZoneInfo
) -> MarketClock:
    """The market's state at ``now``; ``sessions`` ascend from some days before to some days after it."""
    running = next((one for one in sessions if one.open_at <= now < one.close_at), None)
    ahead = next((one for one in sessions if one.open_at > now), None)
    ended = [one for one in sessions if one.close_at <= now]
    current = running or ahead
    return MarketClock(
        mic=mic,
        is_open=running is not None,
        reason=None if running else _why_closed(sessions, holidays, now.astimezone(zone)),
        next_open_at=ahead.open_at if ahead else None,
        next_close_at=current.close_at if current else None,
        is_early=current is not None and _is_short(current, sessions),
        last_closed=ended[-1].date if ended else None,
    )


def _why_closed(sessions: Sequence[SessionTimes], holidays: Mapping[date, str], local: datetime) -> str:
    today = local.date()
    session = next((one for one in sessions if one.date == today), None)
    if session is not None:
        return "before the open" if local < session.open_at else "after the close"
    return holidays.get(today) or ("weekend" if today.weekday() >= 5 else "no session")


def _is_short(session: SessionTimes, sessions: Sequence[SessionTimes]) -> bool:
    lengths = sorted(one.close_at - one.open_at for one in sessions)
    usual = lengths[len(lengths) // 2]
    return (session.close_at - session.open_at) < usual * _SHORT
