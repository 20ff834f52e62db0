"""Yahoo's quotes: the newest session of up to 100 symbols in one request; and how its printed numbers are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from closingbell.domain.bars import snap_price
from closingbell.domain.money import BIGINT_MAX, PRICE_SCALE, major_unit
from closingbell.errors import BadAnswerError
from closingbell.providers.base import Quote
from closingbell.providers.yahoo_session import YahooSession

QUOTE = "/v7/finance/quote"
MOST_SYMBOLS = 100
PROVIDER = "yahoo"

# Whatever reading a row of another shape raises; a time zone that is a folder raises OSError.
NOT_READABLE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, OSError)

_LARGEST_PRICE = float(BIGINT_MAX // 10**PRICE_SCALE)
# A price from later than this is no price: clocks differ by less.
_CLOCKS_DIFFER = timedelta(minutes=5)


def fetch_quotes(session: YahooSession, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
    """Quotes of up to 100 symbols in one request, by symbol; unknown symbols and rows that cannot be read are absent.

    Raise ValueError for more symbols, BadAnswerError for an answer that is no list of quotes.
    """
    if len(symbols) > MOST_SYMBOLS:
        raise ValueError(f"{len(symbols)} symbols in one request; Yahoo takes {MOST_SYMBOLS}")
    if not symbols:
        return {}
    answer = session.get(QUOTE, None, {"symbols": ",".join(symbols), "formatted": "false"})
    return read_quotes(answer, symbols, now=now)


def read_quotes(answer: Any, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
    """A quote answer by the symbols that were asked for."""
    try:
        rows = answer["quoteResponse"]["result"]
    except NOT_READABLE as error:
        raise BadAnswerError(f"Yahoo's answer is no list of quotes ({error!r})") from None
    if not isinstance(rows, list):
        raise BadAnswerError("Yahoo's answer is no list of quotes")
    asked = {symbol.upper(): symbol for symbol in symbols}
    found = {}
    for row in rows:
        quote = _read_row(row, asked, now=now)
        if quote is not None:
            found[quote.symbol] = quote
    return found


def _read_row(row: Any, asked: Mapping[str, str], *, now: datetime) -> Quote | None:
    """One quote, or None for a row that is another symbol's, of the future, or cannot be read."""
    try:
        symbol = asked[row["symbol"].upper()]
        currency, divisor = read_unit(row["currency"])
        traded_at = datetime.fromtimestamp(row["regularMarketTime"], UTC)
        if traded_at > now + _CLOCKS_DIFFER:
            return None
        return Quote(
            symbol=symbol,
            provider=PROVIDER,
            currency=currency,
            quote_unit=row["currency"],
            traded_at=traded_at,
            open=_price_or_none(row.get("regularMarketOpen"), divisor),
            high=_price_or_none(row.get("regularMarketDayHigh"), divisor),
            low=_price_or_none(row.get("regularMarketDayLow"), divisor),
            price=read_price(row["regularMarketPrice"], divisor),
            volume=_volume_or_none(row.get("regularMarketVolume")),
            previous_close=_price_or_none(row.get("regularMarketPreviousClose"), divisor),
        )
    except NOT_READABLE:
        return None


def read_unit(quote_unit: Any) -> tuple[str, int]:
    """The major currency behind a quoted unit, and its divisor; raise ValueError for what is none."""
    if not isinstance(quote_unit, str) or len(major_unit(quote_unit)[0]) != 3:
        raise ValueError(f"no currency is known as {quote_unit!r}")
    return major_unit(quote_unit)


def read_price(printed: float, divisor: int, *, factor: float = 1.0) -> int:
    """A printed price times ``factor``, snapped, in millionths of the major unit; raise ValueError for one too large.

    Snapped first and divided then: pence have their decimals before they are pounds.
    """
    value = printed * factor
    if not -_LARGEST_PRICE < value < _LARGEST_PRICE:
        raise ValueError(f"no price can be stored for {printed!r}")
    return snap_price(value) if divisor == 1 else round(snap_price(value) / divisor)


def read_volume(printed: float | None) -> int:
    """A printed volume; nothing printed is nothing traded."""
    volume = int(printed or 0)
    if not -BIGINT_MAX <= volume <= BIGINT_MAX:
        raise ValueError(f"no volume can be stored for {printed!r}")
    return volume


def _price_or_none(printed: float | None, divisor: int) -> int | None:
    return None if printed is None else read_price(printed, divisor)


def _volume_or_none(printed: float | None) -> int | None:
    return None if printed is None else read_volume(printed)
