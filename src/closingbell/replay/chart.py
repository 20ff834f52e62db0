"""The answer of ``/v8/finance/chart``, as Yahoo lays it out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from typing import Any

from closingbell.replay.as_of import AsOf, ServedBar
from closingbell.replay.query import STEPS, VALID_RANGES, ChartQuery, Window

Json = dict[str, Any]

_COLUMNS = ("open", "high", "low", "close", "volume")


def chart_answer(query: ChartQuery, window: Window, as_of: AsOf, *, symbol: str) -> Json:
    """A whole chart answer for a listing under a symbol."""
    is_intraday = query.interval in STEPS
    bars = _intraday(query, window, as_of) if is_intraday else as_of.bars(window.first, window.until)
    result: Json = {"meta": _meta(query, window, as_of, symbol)}
    if bars:
        result["timestamp"] = [bar.at for bar in bars]
    events = _events(query, window, as_of)
    if events:
        result["events"] = events
    result["indicators"] = _indicators(bars, has_adjusted=not is_intraday)
    return {"chart": {"result": [result], "error": None}}


def trading_period(as_of: AsOf, start: int, end: int) -> Json:
    """One stretch of trading, with the exchange's offset at its start."""
    name, offset = as_of.listing.hours.offset(start)
    return {"timezone": name, "start": start, "end": end, "gmtoffset": offset}


def _intraday(query: ChartQuery, window: Window, as_of: AsOf) -> list[ServedBar]:
    step = STEPS[query.interval]
    sessions = range(window.first, window.until)
    bars = (bar for index in sessions for bar in as_of.served_minutes(index, step))
    return [bar for bar in bars if window.start_at <= bar.at < window.end_at]


def _indicators(bars: Sequence[ServedBar], *, has_adjusted: bool) -> Json:
    columns = {name: [getattr(bar, name) for bar in bars] for name in _COLUMNS} if bars else {}
    indicators: Json = {"quote": [columns]}
    if has_adjusted:
        adjusted = {"adjclose": [bar.adjusted_close for bar in bars]} if bars else {}
        indicators["adjclose"] = [adjusted]
    return indicators


def _events(query: ChartQuery, window: Window, as_of: AsOf) -> Json:
    between = (window.start_at, window.end_at)
    found: Json = {}
    if "div" in query.events:
        found["dividends"] = {
            str(at): _dividend(at, amount, one.currency) for at, amount, one in as_of.dividends(*between)
        }
    if "capitalGains" in query.events:
        gains = as_of.capital_gains(*between)
        found["capitalGains"] = {str(at): {"amount": amount, "date": at} for at, amount in gains}
    if "splits" in query.events:
        found["splits"] = {
            str(at): {
                "date": at,
                "numerator": ratio.numerator,
                "denominator": ratio.denominator,
                "splitRatio": f"{ratio.numerator}:{ratio.denominator}",
            }
            for at, ratio in as_of.splits(*between)
        }
    return {kind: events for kind, events in found.items() if events}


def _dividend(at: int, amount: float, currency: str | None) -> Json:
    event: Json = {"amount": amount, "date": at}
    return {**event, "currency": currency} if currency else event


def _meta(query: ChartQuery, window: Window, as_of: AsOf, symbol: str) -> Json:
    listing, now = as_of.listing, as_of.snapshot
    zone, offset = listing.hours.offset(as_of.now_s)
    year_low, year_high = as_of.year_range()
    meta: Json = {
        "currency": listing.currency,
        "symbol": symbol,
        "exchangeName": listing.exchange,
        "fullExchangeName": listing.exchange_name,
        "instrumentType": listing.instrument_type,
        "firstTradeDate": listing.opens[0],
        "regularMarketTime": now.time,
        "hasPrePostMarketData": listing.hours.pre is not None,
        "gmtoffset": offset,
        "timezone": zone,
        "exchangeTimezoneName": listing.hours.timezone,
        "regularMarketPrice": now.close,
        "fiftyTwoWeekHigh": year_high,
        "fiftyTwoWeekLow": year_low,
        "regularMarketDayHigh": now.high,
        "regularMarketDayLow": now.low,
        "regularMarketVolume": now.volume,
        "longName": listing.long_name,
        "shortName": listing.long_name,
        "chartPreviousClose": as_of.previous_close(window.first) or now.close,
        "priceHint": 2,
        "currentTradingPeriod": _current_period(as_of),
        "dataGranularity": query.interval,
        "range": query.range,
        "validRanges": VALID_RANGES,
    }
    if query.interval in STEPS:
        meta["previousClose"] = now.previous_close or now.close
        meta["scale"] = 3
        meta["tradingPeriods"] = _trading_periods(query, window, as_of)
    return meta


def _current_period(as_of: AsOf) -> Json:
    """Today's periods when today is a session, else those of the latest one."""
    listing = as_of.listing
    index = bisect_left(listing.dates, as_of.today)
    is_session = index < len(listing.dates) and listing.dates[index] == as_of.today
    day = as_of.today if is_session else listing.dates[as_of.started - 1]
    return {name: trading_period(as_of, *ends) for name, ends in _periods(as_of, day).items()}


def _periods(as_of: AsOf, day: date) -> dict[str, tuple[int, int]]:
    hours = as_of.listing.hours
    (early, late), opened, closed = hours.extended(day), hours.opens_at(day), hours.closes_at(day)
    return {"pre": (early, opened), "regular": (opened, closed), "post": (closed, late)}


def _trading_periods(query: ChartQuery, window: Window, as_of: AsOf) -> Json | list[list[Json]]:
    days = [_periods(as_of, day) for day in as_of.listing.dates[window.first : window.until]]
    if not query.has_extended_hours:
        return [[trading_period(as_of, *day["regular"])] for day in days]
    return {name: [[trading_period(as_of, *day[name])] for day in days] for name in ("pre", "post", "regular")}
