"""Yahoo's daily bars and corporate actions, read from its chart answers and recovered as traded.

Yahoo restates its whole history at every split. The splits in the same answer undo that, so every chart request runs
to now: only then are all later splits in it. Prices come as float32 widened to double and are snapped back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from closingbell.domain.bars import FLOAT32_NOISE, Bar, snap_price
from closingbell.domain.corporate_actions import ActionKind, CorporateAction, declared_amount
from closingbell.domain.money import BIGINT_MAX, PRICE_SCALE, QUANTITY_SCALE, major_unit, to_scaled
from closingbell.errors import BadAnswerError
from closingbell.providers.base import (
    CALENDAR,
    DAILY,
    MINUTES,
    QUOTES,
    CompanyCalendar,
    DailyHistory,
    MinuteHistory,
    Quote,
)
from closingbell.providers.yahoo_calendar import fetch_calendar
from closingbell.providers.yahoo_minutes import fetch_minutes
from closingbell.providers.yahoo_quotes import fetch_quotes
from closingbell.providers.yahoo_session import NAME, YahooSession

CHART = "/v8/finance/chart"
# An exchange's day may begin up to 14 hours before midnight UTC.
_BEFORE_MIDNIGHT = timedelta(hours=14)
_LARGEST_PRICE = float(BIGINT_MAX // 10**PRICE_SCALE)
# Whatever reading an answer of another shape raises; a time zone that is a folder raises OSError.
_NOT_READABLE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, OSError)


class YahooProvider:
    """Daily history from Yahoo's chart endpoint."""

    name = NAME
    capabilities = frozenset({DAILY, QUOTES, MINUTES, CALENDAR})

    def __init__(self, session: YahooSession) -> None:
        self._session = session

    @property
    def request_count(self) -> int:
        """Requests sent so far, cookies and crumbs included."""
        return self._session.request_count

    def close(self) -> None:
        """Let go of threads and connections."""
        self._session.close()

    def fetch_daily(self, symbol: str, *, first: date, now: datetime) -> DailyHistory:
        """Daily bars of ``symbol`` from ``first`` to ``now``, as traded, in the major currency unit."""
        midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
        answer = self._session.get(
            CHART,
            symbol,
            {
                "period1": int((midnight - _BEFORE_MIDNIGHT).timestamp()),
                "period2": int((now + timedelta(days=1)).timestamp()),
                "interval": "1d",
                "includePrePost": "false",
                "events": "div,splits,capitalGains",
            },
        )
        return read_chart(answer, symbol=symbol, first=first, fetched_at=now)

    def fetch_quotes(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
        """Quotes of up to 100 symbols in one request."""
        return fetch_quotes(self._session, symbols, now=now)

    def fetch_minutes(self, symbol: str, *, since: datetime, now: datetime) -> MinuteHistory:
        """Minute bars of ``symbol`` from ``since`` to ``now``."""
        return fetch_minutes(self._session, symbol, since=since, now=now)

    def fetch_calendar(self, symbol: str, *, now: datetime) -> CompanyCalendar:
        """The ex-date and pay date of the dividend that is current."""
        return fetch_calendar(self._session, symbol, now=now)


@dataclass(frozen=True, slots=True)
class _Split:
    ex_date: date
    numerator: int
    denominator: int


def read_chart(answer: Any, *, symbol: str, first: date, fetched_at: datetime) -> DailyHistory:
    """A chart answer as a DailyHistory; raise BadAnswerError where it cannot be read or is another symbol's."""
    try:
        result = answer["chart"]["result"][0]
        meta = result["meta"]
        zone = ZoneInfo(meta["exchangeTimezoneName"])
        quote_unit = meta["currency"]
        events = result.get("events") or {}
        answered_symbol = str(meta.get("symbol") or symbol)
    except _NOT_READABLE as error:
        raise BadAnswerError(f"{symbol}: Yahoo's answer lacks what every chart has ({error!r})") from None
    if answered_symbol.upper() != symbol.upper():
        raise BadAnswerError(f"{symbol}: Yahoo answered with {answered_symbol}")
    try:
        currency, divisor = _currency(quote_unit)
        splits = _read_splits(events, zone)
        # One that is only announced has restated nothing yet.
        in_force = [split for split in splits if split.ex_date <= fetched_at.astimezone(zone).date()]
        bars, null_dates = _read_bars(result, zone, in_force, divisor, first)
        actions = _read_actions(events, zone, splits, in_force, currency, divisor)
    except _NOT_READABLE as error:
        raise BadAnswerError(f"{symbol}: Yahoo's answer cannot be read ({error!r})") from None
    return DailyHistory(
        symbol=symbol,
        provider=YahooProvider.name,
        fetched_at=fetched_at,
        currency=currency,
        quote_unit=quote_unit,
        bars=bars,
        actions=tuple(action for action in actions if action.ex_date >= first),
        null_dates=tuple(null_dates),
        name=_text(meta.get("longName") or meta.get("shortName"), 200),
        exchange_name=_text(meta.get("fullExchangeName") or meta.get("exchangeName"), 40),
        first_trade_date=_first_trade_date(meta, zone),
    )


def _currency(quote_unit: Any) -> tuple[str, int]:
    """The major currency behind a quoted unit, and its divisor."""
    if not isinstance(quote_unit, str) or len(major_unit(quote_unit)[0]) != 3:
        raise ValueError(f"no currency is known as {quote_unit!r}")
    return major_unit(quote_unit)


def _text(value: Any, longest: int) -> str | None:
    """What only decorates: text that fits its column, or None."""
    return value.replace("\0", "")[:longest] if isinstance(value, str) else None


def _first_trade_date(meta: Mapping[str, Any], zone: ZoneInfo) -> date | None:
    try:
        return _day_of(meta["firstTradeDate"], zone)
    except _NOT_READABLE:
        return None


@lru_cache(maxsize=100_000)
def _day_of(stamp: int, zone: ZoneInfo) -> date:
    """The exchange's date at an instant; sessions are shared by all its symbols, hence the cache."""
    return datetime.fromtimestamp(stamp, zone).date()


def _read_bars(
    result: Mapping[str, Any], zone: ZoneInfo, splits: Sequence[_Split], divisor: int, first: date
) -> tuple[list[Bar], list[date]]:
    """Bars as traded from ``first`` on, and the dates that have no price."""
    stamps = result.get("timestamp") or []
    quote = result["indicators"]["quote"][0]
    if not stamps and not quote:
        return [], []
    series = [quote[name] for name in ("open", "high", "low", "close", "volume")]
    if any(len(values) != len(stamps) for values in series):
        raise ValueError("columns of unequal length")
    bars: list[Bar] = []
    null_dates: list[date] = []
    days, series = _one_row_a_day([_day_of(stamp, zone) for stamp in stamps], series)
    for start, end, factor in _stretches(days, splits):
        _append_bars(bars, null_dates, days, series, range(start, end), factor, divisor)
    return _from_first(bars, first), [day for day in null_dates if day >= first]


def _one_row_a_day(days: list[date], series: list[list[Any]]) -> tuple[list[date], list[list[Any]]]:
    """Ascending days. Where Yahoo prints today twice (the session's row and the live one), the live one counts."""
    if all(before < after for before, after in pairwise(days)):
        return days, series
    closes = series[3]
    rows: dict[date, int] = {}
    for index, day in enumerate(days):
        if day not in rows or closes[index] is not None:
            rows[day] = index
    ascending = sorted(rows)
    return ascending, [[values[rows[day]] for day in ascending] for values in series]


def _stretches(days: Sequence[date], splits: Sequence[_Split]) -> Iterator[tuple[int, int, Fraction]]:
    """Index ranges of ``days`` between ex-dates, each with new shares per share of its time."""
    factor = math.prod((Fraction(s.numerator, s.denominator) for s in splits), start=Fraction(1))
    start = 0
    for split in splits:
        end = next((i for i in range(start, len(days)) if days[i] >= split.ex_date), len(days))
        yield start, end, factor
        factor /= Fraction(split.numerator, split.denominator)
        start = end
    yield start, len(days), factor


def _append_bars(
    bars: list[Bar],
    null_dates: list[date],
    days: Sequence[date],
    series: Sequence[Sequence[Any]],
    indexes: range,
    factor: Fraction,
    divisor: int,
) -> None:
    """Append one stretch of bars, its prices multiplied by ``factor``; the hot loop of a backfill."""
    opens, highs, lows, closes, volumes = series
    times = float(factor)
    limit = _LARGEST_PRICE / times
    for i in indexes:
        o, h, low, c, v = opens[i], highs[i], lows[i], closes[i], volumes[i]
        if o is None or h is None or low is None or c is None:
            null_dates.append(days[i])
            continue
        if not (-limit < o < limit and -limit < h < limit and -limit < low < limit and -limit < c < limit):
            raise ValueError(f"no price can be stored for {days[i]}")
        prices = (
            snap_price(o * times),
            snap_price(h * times),
            snap_price(low * times),
            snap_price(c * times),
        )
        if divisor != 1:
            prices = tuple(round(price / divisor) for price in prices)  # type: ignore[assignment]
        volume = int(v or 0) if factor == 1 else round(int(v or 0) / factor)
        if not -BIGINT_MAX <= volume <= BIGINT_MAX:
            raise ValueError(f"no volume can be stored for {days[i]}")
        bars.append(Bar(days[i], *prices, volume))


def _from_first(bars: list[Bar], first: date) -> list[Bar]:
    return bars if not bars or bars[0].date >= first else [bar for bar in bars if bar.date >= first]


def _read_splits(events: Mapping[str, Any], zone: ZoneInfo) -> list[_Split]:
    """The splits of an answer by ex-date, from the integers that Yahoo prints."""
    splits = []
    for row in (events.get("splits") or {}).values():
        ratio = Fraction(Decimal(str(row["numerator"]))) / Fraction(Decimal(str(row["denominator"])))
        if ratio <= 0 or max(ratio.numerator, ratio.denominator) > BIGINT_MAX:
            raise ValueError(f"a split of {row['numerator']}:{row['denominator']}")
        splits.append(_Split(_day_of(int(row["date"]), zone), ratio.numerator, ratio.denominator))
    return sorted(splits, key=lambda split: split.ex_date)


def _read_actions(
    events: Mapping[str, Any],
    zone: ZoneInfo,
    splits: Sequence[_Split],
    in_force: Sequence[_Split],
    currency: str,
    divisor: int,
) -> list[CorporateAction]:
    """Every corporate action of the answer in the units of its own day, by ex-date; ``in_force`` restated amounts."""
    actions = [
        CorporateAction(
            ActionKind.SPLIT,
            s.ex_date,
            None,
            "",
            s.numerator,
            s.denominator,
            f"{s.numerator}:{s.denominator}",
        )
        for s in splits
    ]
    for name, kind in (("dividends", ActionKind.DIVIDEND), ("capitalGains", ActionKind.CAPITAL_GAIN)):
        for row in (events.get(name) or {}).values():
            actions.append(_read_payout(kind, row, zone, in_force, currency, divisor))
    return sorted(actions, key=lambda action: (action.ex_date, action.kind))


def _read_payout(
    kind: ActionKind,
    row: Mapping[str, Any],
    zone: ZoneInfo,
    splits: Sequence[_Split],
    currency: str,
    divisor: int,
) -> CorporateAction:
    """A dividend or capital gain as declared; an explicit currency on the row wins over the quote's."""
    ex_date = _day_of(int(row["date"]), zone)
    factor = math.prod((Fraction(s.numerator, s.denominator) for s in splits if s.ex_date > ex_date), start=Fraction(1))
    own_unit = row.get("currency")
    if own_unit:
        currency, divisor = _currency(own_unit)
    printed = Decimal(repr(row["amount"]))
    amount = declared_amount(_without_float_noise(printed), factor)
    if divisor != 1:
        amount = round(amount / divisor, QUANTITY_SCALE)
    # Raises where no column could take it.
    to_scaled(amount, QUANTITY_SCALE)
    return CorporateAction(kind, ex_date, amount, currency, None, None, str(row["amount"]))


def _without_float_noise(printed: Decimal) -> Decimal:
    """Amounts come with at most 6 decimals, or as float32 widened to double: 0.7699999809265137 is 0.77."""
    if printed == round(printed, 6):
        return printed
    noise = abs(printed) * Decimal(FLOAT32_NOISE)
    candidates = (round(printed, places) for places in range(2, QUANTITY_SCALE))
    return next((c for c in candidates if abs(c - printed) <= noise), round(printed, QUANTITY_SCALE))
