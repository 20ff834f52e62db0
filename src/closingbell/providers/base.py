"""What a provider is, and the shape of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

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


class PriceProvider(Protocol):
    """A source of daily bars; raises ProviderError, whose kind says whether another try is worth it."""

    name: str

    def fetch_daily(self, symbol: str, *, first: date, now: datetime) -> DailyHistory:
        """The daily bars of ``symbol`` from ``first`` up to ``now``, with the corporate actions of that range."""
        ...

    @property
    def request_count(self) -> int:
        """Requests sent so far, of every kind."""
        ...

    def close(self) -> None:
        """Let go of threads and connections."""
        ...
