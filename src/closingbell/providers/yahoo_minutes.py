"""Yahoo's minute bars, read from its chart answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from closingbell.errors import BadAnswerError
from closingbell.providers.base import MinuteBar, MinuteHistory
from closingbell.providers.yahoo_quotes import NOT_READABLE, PROVIDER, read_price, read_unit, read_volume
from closingbell.providers.yahoo_session import YahooSession

CHART = "/v8/finance/chart"
# Yahoo refuses more than eight days of minutes in one request.
LONGEST = timedelta(days=7)
_MINUTE_S = 60


def fetch_minutes(session: YahooSession, symbol: str, *, since: datetime, now: datetime) -> MinuteHistory:
    """Minute bars of ``symbol`` from the minute of ``since``, at most seven days ago, to the running one."""
    first_s = int(max(since, now - LONGEST).timestamp()) // _MINUTE_S * _MINUTE_S
    now_s = int(now.timestamp())
    answer = session.get(
        CHART,
        symbol,
        {
            "period1": min(first_s, now_s),
            # To now, whatever is wanted: only then are all later splits in the answer.
            "period2": now_s + _MINUTE_S,
            "interval": "1m",
            "includePrePost": "false",
            "events": "splits",
        },
    )
    return read_minutes(answer, symbol=symbol, fetched_at=now)


def read_minutes(answer: Any, *, symbol: str, fetched_at: datetime) -> MinuteHistory:
    """A chart answer as minutes as traded; raise BadAnswerError where it cannot be read or is another symbol's."""
    try:
        result = answer["chart"]["result"][0]
        meta = result["meta"]
        if str(meta.get("symbol") or symbol).upper() != symbol.upper():
            raise BadAnswerError(f"{symbol}: Yahoo answered with {meta['symbol']}")
        currency, divisor = read_unit(meta["currency"])
        bars = list(_read_bars(result, divisor))
    except NOT_READABLE as error:
        raise BadAnswerError(f"{symbol}: Yahoo's minutes cannot be read ({error!r})") from None
    return MinuteHistory(
        symbol=symbol,
        provider=PROVIDER,
        fetched_at=fetched_at,
        currency=currency,
        quote_unit=meta["currency"],
        bars=_one_bar_a_minute([bar for bar in bars if bar.at <= fetched_at]),
    )


def _read_bars(result: Mapping[str, Any], divisor: int) -> Iterator[MinuteBar]:
    """Every bar that has a price and lies inside a regular session."""
    stamps = result.get("timestamp") or []
    quote = result["indicators"]["quote"][0]
    if not stamps and not quote:
        return
    series = [quote[name] for name in ("open", "high", "low", "close", "volume")]
    if any(len(values) != len(stamps) for values in series):
        raise ValueError("columns of unequal length")
    periods = _regular_periods(result["meta"])
    factor_at = _factors(result.get("events") or {})
    for stamp, *prices, volume in zip(stamps, *series, strict=True):
        if None not in prices and any(start <= stamp < end for start, end in periods):
            yield _read_bar(stamp, prices, volume, factor=factor_at(stamp), divisor=divisor)


def _read_bar(
    stamp: int, prices: Sequence[float], volume: float | None, *, factor: Fraction, divisor: int
) -> MinuteBar:
    """One bar as traded; the one that lives is stamped with its last trade's second and belongs to its minute."""
    o, h, low, c = (read_price(price, divisor, factor=float(factor)) for price in prices)
    at = datetime.fromtimestamp(stamp // _MINUTE_S * _MINUTE_S, UTC)
    return MinuteBar(at, o, h, low, c, round(read_volume(volume) / factor))


def _regular_periods(meta: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Begin and end of every regular session of the answer."""
    told = meta["tradingPeriods"]
    days = told["regular"] if isinstance(told, dict) else told
    return [(int(period["start"]), int(period["end"])) for day in days for period in day]


def _factors(events: Mapping[str, Any]) -> Callable[[int], Fraction]:
    """At an instant: new shares per share of that time, over all splits after it. Yahoo restates for those."""
    splits = [(int(row["date"]), _ratio(row)) for row in (events.get("splits") or {}).values()]
    return lambda stamp: math.prod((ratio for at, ratio in splits if at > stamp), start=Fraction(1))


def _ratio(row: Mapping[str, Any]) -> Fraction:
    ratio = Fraction(Decimal(str(row["numerator"]))) / Fraction(Decimal(str(row["denominator"])))
    if ratio <= 0:
        raise ValueError(f"a split of {row['numerator']}:{row['denominator']}")
    return ratio


def _one_bar_a_minute(bars: Sequence[MinuteBar]) -> list[MinuteBar]:
    """Ascending minutes. Yahoo prints the running one twice at times: as it stood, and the last price."""
    minutes: dict[datetime, MinuteBar] = {}
    for bar in sorted(bars, key=lambda bar: bar.at):
        earlier = minutes.get(bar.at)
        minutes[bar.at] = bar if earlier is None else _together(earlier, bar)
    return list(minutes.values())


def _together(first: MinuteBar, second: MinuteBar) -> MinuteBar:
    return MinuteBar(
        first.at,
        first.open,
        max(first.high, second.high),
        min(first.low, second.low),
        second.close,
        # The last price comes without a volume of its own, or with the minute's.
        max(first.volume, second.volume),
    )
