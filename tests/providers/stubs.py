"""A provider whose answers a test puts in its mouth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from closingbell.domain.bars import Bar
from closingbell.errors import ProviderError
from closingbell.providers.base import DAILY, DailyHistory, MinuteHistory, Quote

DAY = date(2012, 11, 30)
NOW = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)


def bar(close: int, day: date = DAY) -> Bar:
    return Bar(day, close, close, close, close, 1_000)


class StubProvider:
    """Answers with ``closes`` (in millionths) by symbol, or raises ``error``; counts what it is asked."""

    def __init__(
        self,
        name: str,
        *,
        closes: dict[str, int] | None = None,
        error: ProviderError | Exception | None = None,
        unknown: ProviderError | None = None,
        capabilities: Sequence[str] = (DAILY,),
    ) -> None:
        self.name = name
        self.capabilities = frozenset(capabilities)
        self.closes = closes or {}
        self.error = error
        self.unknown = unknown
        self.asked: list[str] = []
        self.request_count = 0
        self.is_closed = False

    def fetch_daily(self, symbol: str, *, first: date, now: datetime) -> DailyHistory:
        close = self._close(symbol)
        return DailyHistory(symbol, self.name, now, "USD", "USD", [bar(close)], ())

    def fetch_quotes(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
        self._send(",".join(symbols))
        return {
            symbol: Quote(symbol, self.name, "USD", "USD", now, None, None, None, self.closes[symbol], None, None)
            for symbol in symbols
            if symbol in self.closes
        }

    def fetch_minutes(self, symbol: str, *, since: datetime, now: datetime) -> MinuteHistory:
        self._send(symbol)
        return MinuteHistory(symbol, self.name, now, "USD", "USD", [])

    def close(self) -> None:
        self.is_closed = True

    def _close(self, symbol: str) -> int:
        self._send(symbol)
        if symbol not in self.closes and self.unknown is not None:
            raise self.unknown
        return self.closes[symbol]

    def _send(self, what: str) -> None:
        self.asked.append(what)
        self.request_count += 1
        if self.error is not None:
            raise self.error
