"""What a provider is, and the shape of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, Protocol

from closingbell.domain.bars import Bar
from closingbell.domain.corporate_actions import CorporateAction


@dataclass(frozen=True, slots=True)
class DailyHistory:
    """A provider's daily bars of one symbol, ascending, **as traded** and in the major currency unit.

    ``quote_unit`` is the unit that the provider printed (GBp where ``currency`` is GBP); ``actions`` are all
    corporate actions of the range in the units of their own day; ``null_dates`` are sessions that the provider named
    without giving a price.
    """

    symbol: str
    provider: str
    fetched_at: datetime
    currency: str
    quote_unit: str
    bars: list[Bar]
    actions: tuple[CorporateAction, ...]
    null_dates: tuple[date, ...] = ()
    name: str | None = None
    exchange_name: str | None = None
    first_trade_date: date | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """The newest session of a symbol as one quote tells it: prices in millionths of the major currency unit.

    ``traded_at`` is when the market's price is of: at or after the close, the quote is the session's bar.
    ``previous_close`` is the close of the session before, restated for a split of today.
    """

    symbol: str
    provider: str
    currency: str
    quote_unit: str
    traded_at: datetime
    open: int | None
    high: int | None
    low: int | None
    price: int
    volume: int | None
    previous_close: int | None


class MinuteBar(NamedTuple):
    """One minute as traded: ``at`` is its beginning (aware UTC), prices in millionths, volume in shares."""

    at: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True, slots=True)
class MinuteHistory:
    """A provider's minute bars of one symbol, ascending."""

    symbol: str
    provider: str
    fetched_at: datetime
    currency: str
    quote_unit: str
    bars: list[MinuteBar]


@dataclass(frozen=True, slots=True)
class CompanyCalendar:
    """The dividend that is current: announced, or paid last; what is not known is None."""

    symbol: str
    provider: str
    fetched_at: datetime
    ex_date: date | None
    pay_date: date | None


DAILY, QUOTES, MINUTES, CALENDAR = "daily", "quotes", "minutes", "calendar"


class PriceProvider(Protocol):
    """A source of prices; raises ProviderError, whose kind says whether another try is worth it."""

    name: str
    capabilities: frozenset[str]

    def fetch_daily(self, symbol: str, *, first: date, now: datetime) -> DailyHistory:
        """The daily bars of ``symbol`` from ``first`` up to ``now``, with the corporate actions of that range."""
        ...

    def fetch_quotes(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
        """The newest quotes of up to 100 symbols in one request; symbols that the provider does not know are absent."""
        ...

    def fetch_minutes(self, symbol: str, *, since: datetime, now: datetime) -> MinuteHistory:
        """The minute bars of ``symbol`` from ``since`` up to ``now``."""
        ...

    @property
    def request_count(self) -> int:
        """Requests sent so far, of every kind."""
        ...

    def close(self) -> None:
        """Let go of threads and connections."""
        ...


class CalendarProvider(Protocol):
    """What a provider with the capability CALENDAR can do besides."""

    def fetch_calendar(self, symbol: str, *, now: datetime) -> CompanyCalendar:
        """The ex-date and pay date of the dividend that is current."""
        ...
