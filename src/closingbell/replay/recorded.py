"""The recorded market: five companies, daily, as traded, 2000-03-01 to 2013-03-01.

Source: the public-domain file in the package bokeh-sampledata (extra ``demo``). Its prices *and
volumes* are as traded (Apple's volumes equal a second vendor's unadjusted ones in every year). Its
adjusted close carries every split and dividend: with ``k = (adjusted/close)[t] / (adjusted/close)[t-1]``
a split shows as its ratio and a dividend as ``close[t] * (k - 1)``, because the publisher scales all
earlier prices by ``close / (close + dividend)`` of the ex-date. That gives 92 dividends and 3 splits.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from closingbell.errors import SettingsError
from closingbell.replay.market import Bar, Dividend, Listing, Market, Split

MISSING_EXTRA = 'the recorded market needs the extra "demo": pip install "closingbell[demo]"'

# Quotients that are not events stay within 1e-13 of 1; the smallest dividend moves them by 1e-3.
_QUIET = Decimal("1e-6")
_SMALLEST_SPLIT = Decimal("1.2")
_CENT_HUNDREDTH = Decimal("0.0001")

_COMPANIES = {
    "AAPL": ("Apple Inc.", "NMS", "NasdaqGS"),
    "FB": ("Facebook, Inc.", "NMS", "NasdaqGS"),
    "GOOG": ("Google Inc.", "NMS", "NasdaqGS"),
    "IBM": ("International Business Machines Corporation", "NYQ", "NYSE"),
    "MSFT": ("Microsoft Corporation", "NMS", "NasdaqGS"),
}

# Pay dates that are public knowledge; the file has none.
_PAY_DATES = {
    ("AAPL", date(2012, 8, 9)): date(2012, 8, 16),
    ("AAPL", date(2012, 11, 7)): date(2012, 11, 15),
    ("IBM", date(2012, 11, 7)): date(2012, 12, 10),
    ("MSFT", date(2012, 11, 13)): date(2012, 12, 13),
}


class RecordedMarket(Market):
    """The market of the sample file."""

    @classmethod
    def load(cls, *, clones: int = 0) -> RecordedMarket:
        """Read the file; SettingsError when the extra is not installed."""
        return cls(_listings(data_file()), clones=clones)


def data_file() -> Path:
    """Where bokeh-sampledata keeps the file; SettingsError when it is not installed."""
    spec = find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        raise SettingsError(MISSING_EXTRA)
    # Located without importing: the package's own reader would load more than we need.
    return Path(spec.origin).parent / "_data" / "stocks.csv.gz"


@lru_cache(maxsize=1)
def _listings(path: Path) -> tuple[Listing, ...]:
    rows: dict[str, list[tuple[Bar, Decimal]]] = {}
    for symbol, bar, adjusted in _read(path):
        rows.setdefault(symbol, []).append((bar, adjusted))
    return tuple(_listing(symbol, of_symbol) for symbol, of_symbol in rows.items())


def _read(path: Path) -> Iterator[tuple[str, Bar, Decimal]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        for symbol, day, opened, high, low, close, volume, adjusted in lines:
            prices = (Decimal(opened), Decimal(high), Decimal(low), Decimal(close))
            yield symbol, Bar(date.fromisoformat(day), *prices, int(volume)), Decimal(adjusted)


def _listing(symbol: str, rows: list[tuple[Bar, Decimal]]) -> Listing:
    name, exchange, exchange_name = _COMPANIES[symbol]
    splits, dividends = derive_events(rows)
    return Listing(
        symbol=symbol,
        bars=tuple(bar for bar, _ in rows),
        splits=tuple(splits),
        dividends=tuple(Dividend(day, amount, pay_date=_PAY_DATES.get((symbol, day))) for day, amount in dividends),
        name=name,
        exchange=exchange,
        exchange_name=exchange_name,
    )


def derive_events(
    rows: Iterable[tuple[Bar, Decimal]],
) -> tuple[list[Split], list[tuple[date, Decimal]]]:
    """Splits, and dividends as (ex-date, amount as paid), from bars with their adjusted close."""
    splits: list[Split] = []
    dividends: list[tuple[date, Decimal]] = []
    for (before, adjusted_before), (bar, adjusted) in pairwise(rows):
        jump = (adjusted / bar.close) / (adjusted_before / before.close)
        if abs(jump - 1) < _QUIET:
            continue
        if jump > _SMALLEST_SPLIT:
            splits.append(Split(bar.date, round(jump)))
        else:
            amount = (bar.close * (jump - 1)).quantize(_CENT_HUNDREDTH).normalize()
            dividends.append((bar.date, amount))
    return splits, dividends
