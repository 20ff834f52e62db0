"""Yahoo's calendar of a company: the ex-date and pay date that are current, read as midnights in UTC.

The library's own reading takes them for the server's local time, which dates them a day early west of Greenwich.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from closingbell.domain.action_rules import calendar_date
from closingbell.errors import BadAnswerError, NoDataError, SymbolUnknownError
from closingbell.providers.base import CompanyCalendar
from closingbell.providers.yahoo_quotes import NOT_READABLE
from closingbell.providers.yahoo_session import YahooSession

SUMMARY = "/v10/finance/quoteSummary"
PROVIDER = "yahoo"
_MIDNIGHT_S = 86_400
_EARLIEST, _LATEST = date(1900, 1, 1), date(2200, 1, 1)


def fetch_calendar(session: YahooSession, symbol: str, *, now: datetime) -> CompanyCalendar:
    """What Yahoo's calendar says of a company now."""
    params = {"modules": "calendarEvents", "corsDomain": "finance.yahoo.com", "formatted": "false", "symbol": symbol}
    try:
        answer = session.get(SUMMARY, symbol, params)
    except SymbolUnknownError as error:
        # Funds have none; that says nothing of the symbol's prices.
        raise NoDataError(f"{symbol}: Yahoo has no calendar of it ({error})") from None
    return read_calendar(answer, symbol=symbol, now=now)


def read_calendar(answer: Any, *, symbol: str, now: datetime) -> CompanyCalendar:
    """A calendar answer; both dates are optional, and a date that cannot be one makes the answer unreadable."""
    try:
        events = answer["quoteSummary"]["result"][0]["calendarEvents"]
        ex_date, pay_date = _date_of(events.get("exDividendDate")), _date_of(events.get("dividendDate"))
    except NOT_READABLE as error:
        raise BadAnswerError(f"{symbol}: Yahoo's answer is no calendar ({error!r})") from None
    return CompanyCalendar(symbol, PROVIDER, now.astimezone(UTC), ex_date, pay_date)


def _date_of(stamp: Any) -> date | None:
    """The date of a midnight in UTC; formatted answers wrap it. Raise ValueError for what is none."""
    if isinstance(stamp, dict):
        stamp = stamp.get("raw")
    if stamp is None:
        return None
    if isinstance(stamp, bool) or not isinstance(stamp, int | float) or stamp != int(stamp):
        raise ValueError(f"{stamp!r} is no instant")
    day = calendar_date(int(stamp))
    if int(stamp) % _MIDNIGHT_S or not _EARLIEST <= day <= _LATEST:
        raise ValueError(f"{stamp!r} is no midnight in UTC")
    return day
