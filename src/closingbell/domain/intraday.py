"""Prices while a session runs: who is due, today's bar so far, and what it may change of what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple, Protocol

from closingbell.domain.bars import INTRADAY, Bar, StoredBar
from closingbell.domain.market_zones import in_new_york
from closingbell.domain.planning import SessionTimes
from closingbell.domain.runs import GOOD_OUTCOMES, ItemOutcome

# What was traded no longer ago than this is followed.
RECENT = timedelta(hours=24)
# Sources lag by up to twenty minutes: nothing told so soon after the open is nothing missing.
QUIET_START = timedelta(minutes=30)
# The last price of a session comes some minutes after its close, never an hour.
LATEST_TRADE = timedelta(hours=1)
# Minutes of older sessions that were missed are asked for too, as far back as one request reaches.
LOOK_BACK = timedelta(days=7)


class MinuteLike(Protocol):
    """One minute as traded, in millionths; ``at`` is its beginning."""

    @property
    def at(self) -> datetime: ...
    @property
    def open(self) -> int: ...
    @property
    def high(self) -> int: ...
    @property
    def low(self) -> int: ...
    @property
    def close(self) -> int: ...
    @property
    def volume(self) -> int: ...


class QuoteLike(Protocol):
    """What one quote tells of the session, in millionths."""

    @property
    def traded_at(self) -> datetime: ...
    @property
    def open(self) -> int | None: ...
    @property
    def high(self) -> int | None: ...
    @property
    def low(self) -> int | None: ...
    @property
    def price(self) -> int: ...
    @property
    def volume(self) -> int | None: ...


class Minute(NamedTuple):
    """A minute as it is stored."""

    at: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int


def session_at(sessions: Iterable[SessionTimes], moment: datetime) -> SessionTimes | None:
    """The session that runs at ``moment``; at its very close it still does: that run stores the last minutes."""
    return next((session for session in sessions if session.open_at <= moment <= session.close_at), None)


def why_closed(mic: str, sessions: Iterable[SessionTimes], moment: datetime) -> str:
    """``XNYS is closed until 2012-12-03 09:30 EST``; always in New York's time, as everything is shown."""
    opens = [session.open_at for session in sessions if session.open_at > moment]
    return f"{mic} is closed" + (f" until {in_new_york(min(opens))}" if opens else ", and no later session is known")


def ask_from(newest: datetime | None, session: SessionTimes, *, now: datetime) -> datetime:
    """From when on to ask: the newest stored minute, which was perhaps still running, or the session's open."""
    return session.open_at if newest is None else max(newest, now - LOOK_BACK)


def minutes_of(minutes: Iterable[MinuteLike], session: SessionTimes) -> list[MinuteLike]:
    """The minutes that lie in a session, ascending."""
    inside = (minute for minute in minutes if session.open_at <= minute.at < session.close_at)
    return sorted(inside, key=lambda minute: minute.at)


def bar_of_minutes(day: date, minutes: Sequence[MinuteLike]) -> Bar:
    """The bar that ascending minutes, one at least, add up to."""
    return Bar(
        day,
        minutes[0].open,
        max(minute.high for minute in minutes),
        min(minute.low for minute in minutes),
        minutes[-1].close,
        sum(minute.volume for minute in minutes),
    )


def bar_of_quote(session: SessionTimes, quote: QuoteLike) -> Bar | None:
    """The session's bar as a quote tells it, or None for a quote of another session.

    What the quote leaves out is taken from its price.
    """
    if not session.open_at <= quote.traded_at <= session.close_at + LATEST_TRADE:
        return None
    price = quote.price
    open_ = price if quote.open is None else quote.open
    high = max(open_, price) if quote.high is None else quote.high
    low = min(open_, price) if quote.low is None else quote.low
    return Bar(session.date, open_, high, low, price, quote.volume or 0)


def changed_minutes(stored: Mapping[datetime, MinuteLike], told: Iterable[MinuteLike]) -> list[MinuteLike]:
    """Minutes that are new, or told differently: the running one grows until it is over."""
    return [minute for minute in told if (held := stored.get(minute.at)) is None or tuple_of(held) != tuple_of(minute)]


def tuple_of(minute: MinuteLike) -> Minute:
    """Any minute in the form that is stored."""
    return Minute(minute.at, minute.open, minute.high, minute.low, minute.close, minute.volume)


def is_official(held: StoredBar, session: SessionTimes) -> bool:
    """Whether a stored bar is the session's own, fetched after its close: minutes never touch that."""
    return held.is_settled or (held.flag != INTRADAY and held.fetched_at >= session.close_at)


def merge_day(held: StoredBar | None, told: Bar, session: SessionTimes) -> Bar | None:
    """Today's bar after what was told, or None where nothing is to be written.

    The open stays, the high only rises, the low only falls, the volume only grows: what was seen traded was traded.
    """
    if held is None:
        return told
    if is_official(held, session):
        return None
    bar = held.bar
    merged = Bar(
        bar.date,
        bar.open,
        max(bar.high, told.high),
        min(bar.low, told.low),
        told.close,
        max(bar.volume, told.volume),
    )
    return None if merged == bar else merged


def refresh_in_words(items: Sequence[ItemOutcome], moment: datetime, closed: Sequence[str]) -> str:
    """The run in one sentence: "2 of 3 prices of 2012-11-30 11:15 EST stored, 1 rate_limited; XLON is closed ..."."""
    reasons: dict[str, int] = {}
    for item in items:
        if item.outcome not in GOOD_OUTCOMES:
            reason = item.error_kind or item.outcome.value
            reasons[reason] = reasons.get(reason, 0) + 1
    expected, covered = sum(item.expected_count for item in items), sum(item.covered_count for item in items)
    told = "".join(f", {count} {reason}" for reason, count in sorted(reasons.items()))
    sentence = f"{covered} of {expected} prices of {in_new_york(moment)} stored{told}"
    return "; ".join([sentence, *closed])
