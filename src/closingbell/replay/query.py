"""What a chart request asks for, read from its query string and refused as Yahoo refuses."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from closingbell.errors import UsageError
from closingbell.replay.as_of import AsOf

DAY_S = 86_400
VALID_RANGES = ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")

# Minutes per bar; the daily interval has none.
STEPS = {"1m": 1, "2m": 2, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "90m": 90, "1h": 60}
INTERVALS = (*STEPS, "1d")

# How far back intraday bars reach, in days, and how many days of minutes one request may ask for.
_DEPTH_DAYS = {"1m": 30, "60m": 730, "1h": 730}
_OTHER_DEPTH_DAYS = 60
_MINUTES_SPAN_DAYS = 8

_RANGE = re.compile(r"(\d+)(d|wk|mo|y)")
_EVENTS = re.compile(r"[,|]")


class ChartRefusedError(UsageError):
    """The answer is one of Yahoo's error bodies: status, code and description."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class ChartQuery:
    """A chart request as it was made."""

    interval: str
    range: str
    period1: int | None
    period2: int | None
    events: frozenset[str]
    has_extended_hours: bool


@dataclass(frozen=True, slots=True)
class Window:
    """The sessions ``first`` up to ``until``, and the instants between which events and minutes count."""

    first: int
    until: int
    start_at: int
    end_at: int


def read_query(params: Mapping[str, str]) -> ChartQuery:
    """Understand a query string; ChartRefusedError for what Yahoo would not take."""
    has_period = "period1" in params or "period2" in params
    query = ChartQuery(
        interval=params.get("interval", "1d" if has_period else "1m"),
        range="" if has_period else params.get("range", "1d"),
        period1=_instant(params, "period1"),
        period2=_instant(params, "period2"),
        events=frozenset(_event_kind(word) for word in _EVENTS.split(params.get("events", ""))),
        has_extended_hours=params.get("includePrePost", "false").lower() == "true",
    )
    _check(query)
    return query


def window_of(query: ChartQuery, as_of: AsOf) -> Window:
    """The part of a listing's history that a request covers, nothing after now."""
    window = _ranged(query.range, as_of) if query.range else _between(query, as_of)
    if query.interval in STEPS:
        _check_intraday(query, window, as_of)
    return window


def _instant(params: Mapping[str, str], name: str) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        raise _bad_request(f"Invalid input - {name}={value} is not a number.") from None


def _event_kind(word: str) -> str:
    """Yahoo takes both ``split`` and ``splits``."""
    return {"split": "splits", "dividends": "div", "capitalGain": "capitalGains"}.get(word, word)


def _check(query: ChartQuery) -> None:
    if query.interval not in INTERVALS:
        raise _bad_request(
            f"Invalid input - interval={query.interval} is not supported. Valid intervals: [{', '.join(INTERVALS)}]"
        )
    is_known_range = query.range in ("", *VALID_RANGES) or _RANGE.fullmatch(query.range)
    if not is_known_range:
        raise _bad_request(
            f"Invalid input - range={query.range} is not supported. Valid ranges: [{', '.join(VALID_RANGES)}]"
        )
    if query.period1 is not None and query.period2 is not None and query.period1 > query.period2:
        raise _bad_request(
            "Invalid input - start date cannot be after end date. "
            f"startDate = {query.period1}, endDate = {query.period2}"
        )


def _ranged(name: str, as_of: AsOf) -> Window:
    started, opens = as_of.started, as_of.listing.opens
    match = _RANGE.fullmatch(name)
    if match and match[2] == "d":
        first = max(0, started - int(match[1]))
    elif name == "max":
        return Window(0, started, 0, as_of.now_s + 1)
    else:
        first = bisect_left(as_of.listing.dates, _back(name, as_of.today))
    start_at = opens[first] if first < len(opens) else as_of.now_s
    return Window(first, started, start_at, as_of.now_s + 1)


def _back(name: str, today: date) -> date:
    """The first day of a calendar range that ends today."""
    match = _RANGE.fullmatch(name)
    if match is None:
        return today.replace(month=1, day=1)
    number, unit = int(match[1]), match[2]
    if unit == "wk":
        return today - timedelta(weeks=number)
    months = today.year * 12 + today.month - 1 - number * (12 if unit == "y" else 1)
    year, month = divmod(max(months, 12), 12)
    # Day 28 exists in every month; a longer month's end falls on it plus what is left.
    last = (date(year, month + 1, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return last.replace(day=min(today.day, last.day))


def _between(query: ChartQuery, as_of: AsOf) -> Window:
    opens = as_of.listing.opens
    start_at = query.period1 or 0
    end_at = min(query.period2 if query.period2 is not None else as_of.now_s + 1, as_of.now_s + 1)
    if query.interval in STEPS:
        return Window(_session_open_at(start_at, as_of), _until(end_at, as_of), start_at, end_at)
    return Window(bisect_left(opens, start_at), _until(end_at, as_of), start_at, end_at)


def _until(end_at: int, as_of: AsOf) -> int:
    return min(as_of.started, bisect_left(as_of.listing.opens, end_at))


def _session_open_at(instant: int, as_of: AsOf) -> int:
    """The first session that ends after an instant: minutes may start in its middle."""
    listing = as_of.listing
    index = bisect_left(listing.opens, instant)
    if index and listing.hours.closes_at(listing.dates[index - 1]) > instant:
        return index - 1
    return index


def _check_intraday(query: ChartQuery, window: Window, as_of: AsOf) -> None:
    if query.interval == "1m" and _is_too_long(query, window):
        raise _unprocessable(
            query,
            window,
            f"Only {_MINUTES_SPAN_DAYS} days worth of 1m granularity data are allowed to be fetched per request.",
        )
    depth = _DEPTH_DAYS.get(query.interval, _OTHER_DEPTH_DAYS)
    # A range counts sessions, and a few of them reach back over any closed days.
    if not query.range.endswith("d") and window.start_at < as_of.now_s - depth * DAY_S:
        raise _unprocessable(query, window, f"The requested range must be within the last {depth} days.")


def _unprocessable(query: ChartQuery, window: Window, limit: str) -> ChartRefusedError:
    asked = f"startTime={window.start_at} and endTime={window.end_at}"
    description = f"{query.interval} data not available for {asked}. {limit}"
    return ChartRefusedError(422, "Unprocessable Entity", description)


def _is_too_long(query: ChartQuery, window: Window) -> bool:
    if query.range.endswith("d"):
        return window.until - window.first > _MINUTES_SPAN_DAYS
    return window.end_at - window.start_at > _MINUTES_SPAN_DAYS * DAY_S


def _bad_request(description: str) -> ChartRefusedError:
    return ChartRefusedError(400, "Bad Request", description)
