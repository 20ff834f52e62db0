"""The answers of ``/v7/finance/quote`` and ``/v10/finance/quoteSummary``, as Yahoo lays them out."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time

from closingbell.replay.as_of import AsOf
from closingbell.replay.chart import Json
from closingbell.replay.market import Dividend


def quote_entry(as_of: AsOf, *, symbol: str) -> Json:
    """One company's entry in a quote answer."""
    listing, now = as_of.listing, as_of.snapshot
    zone, offset = listing.hours.offset(as_of.now_s)
    year_low, year_high = as_of.year_range()
    previous = now.previous_close or now.close
    entry: Json = {
        "language": "en-US",
        "region": "US",
        "quoteType": listing.instrument_type,
        "currency": listing.currency,
        "exchange": listing.exchange,
        "fullExchangeName": listing.exchange_name,
        "exchangeTimezoneName": listing.hours.timezone,
        "exchangeTimezoneShortName": zone,
        "gmtOffSetMilliseconds": offset * 1000,
        "market": "us_market" if listing.currency == "USD" else "other_market",
        "marketState": market_state(as_of),
        "esgPopulated": False,
        "tradeable": False,
        "triggerable": True,
        "sourceInterval": 15,
        "exchangeDataDelayedBy": 0,
        "firstTradeDateMilliseconds": listing.opens[0] * 1000,
        "priceHint": 2,
        "regularMarketPrice": now.close,
        "regularMarketTime": now.time,
        "regularMarketOpen": now.open,
        "regularMarketDayHigh": now.high,
        "regularMarketDayLow": now.low,
        "regularMarketDayRange": f"{now.low} - {now.high}",
        "regularMarketVolume": now.volume,
        "regularMarketPreviousClose": previous,
        "regularMarketChange": round(now.close - previous, 6),
        "regularMarketChangePercent": round((now.close / previous - 1) * 100, 6),
        "fiftyTwoWeekLow": year_low,
        "fiftyTwoWeekHigh": year_high,
        "shortName": listing.long_name,
        "longName": listing.long_name,
        "symbol": symbol,
    }
    return {**entry, **_pay_date(_current_dividend(as_of))}


def market_state(as_of: AsOf) -> str:
    """PREPRE, PRE, REGULAR, POST and POSTPOST through a session's day; CLOSED on other days."""
    hours, now_s = as_of.listing.hours, as_of.now_s
    if not _is_session(as_of, as_of.today):
        return "CLOSED"
    early, late = hours.extended(as_of.today)
    edges = (
        (early, "PREPRE"),
        (hours.opens_at(as_of.today), "PRE"),
        (hours.closes_at(as_of.today), "REGULAR"),
        (late, "POST"),
    )
    return next((state for edge, state in edges if now_s < edge), "POSTPOST")


def calendar_events(as_of: AsOf) -> Json:
    """The ``calendarEvents`` module: the dividend announced last, whether ahead or past."""
    dividend = _current_dividend(as_of)
    events: Json = {"maxAge": 1, "earnings": {"earningsDate": []}}
    if dividend is not None:
        events["exDividendDate"] = _midnight(dividend.ex_date)
    return {**events, **_pay_date(dividend)}


def quote_type(as_of: AsOf, *, symbol: str) -> Json:
    """The ``quoteType`` module."""
    listing = as_of.listing
    zone, offset = listing.hours.offset(as_of.now_s)
    return {
        "exchange": listing.exchange,
        "quoteType": listing.instrument_type,
        "symbol": symbol,
        "underlyingSymbol": symbol,
        "shortName": listing.long_name,
        "longName": listing.long_name,
        "firstTradeDateEpochUtc": listing.opens[0],
        "timeZoneFullName": listing.hours.timezone,
        "timeZoneShortName": zone,
        "gmtOffSetMilliseconds": offset * 1000,
        "maxAge": 1,
    }


def summary_modules(as_of: AsOf, asked: list[str], *, symbol: str) -> Json:
    """Those of the asked modules that exist for a listing; funds and currencies have no calendar."""
    made: Json = {}
    if "calendarEvents" in asked and as_of.listing.instrument_type == "EQUITY":
        made["calendarEvents"] = calendar_events(as_of)
    if "quoteType" in asked:
        made["quoteType"] = quote_type(as_of, symbol=symbol)
    return made


def _current_dividend(as_of: AsOf) -> Dividend | None:
    known = [one for one in as_of.listing.dividends if one.announced_date <= as_of.today]
    return known[-1] if known else None


def _pay_date(dividend: Dividend | None) -> Json:
    if dividend is None or dividend.pay_date is None:
        return {}
    return {"dividendDate": _midnight(dividend.pay_date)}


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), tzinfo=UTC).timestamp())


def _is_session(as_of: AsOf, day: date) -> bool:
    dates = as_of.listing.dates
    index = bisect_left(dates, day)
    return index < len(dates) and dates[index] == day
