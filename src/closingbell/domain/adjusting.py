"""Adjusted series, computed when they are read: what is stored stays as traded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from closingbell.domain.bars import Bar

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Factors:
    """What the prices and the volumes before an ex-date are multiplied by; it ends with the last one."""

    ex_date: date
    price: Decimal
    volume: Fraction


def factors_of(
    closes: Sequence[tuple[date, int]], splits: Mapping[date, Fraction], dividends: Mapping[date, Decimal]
) -> list[Factors]:
    """The factors by ex-date, ascending, from closes as traded (date, millionths), ratios and amounts per share.

    Prices before a dividend lose its share of the close before: the series then falls by the market's part alone. A
    dividend without a stored close before it, or as large as that, changes nothing.
    """
    days = [day for day, _ in closes]
    price, volume = _ONE, Fraction(1)
    found: list[Factors] = []
    for ex_date in sorted(splits.keys() | dividends.keys(), reverse=True):
        ratio = splits.get(ex_date, Fraction(1))
        before = bisect_left(days, ex_date) - 1
        if before >= 0:
            close = Decimal(closes[before][1]).scaleb(-6)
            kept = _ONE - dividends.get(ex_date, Decimal(0)) / close if close else _ONE
            price *= kept if kept > 0 else _ONE
        price *= Decimal(ratio.denominator) / Decimal(ratio.numerator)
        volume *= ratio
        found.append(Factors(ex_date, price, volume))
    return found[::-1]


def adjust(bars: Sequence[Bar], factors: Sequence[Factors]) -> list[Bar]:
    """``bars`` in the units of today: for splits and dividends after each one's date; prices to the millionth."""
    ex_dates = [one.ex_date for one in factors]
    adjusted = []
    for bar in bars:
        # An ex-date's own bar is traded without the right already.
        position = bisect_right(ex_dates, bar.date)
        if position == len(factors):
            adjusted.append(bar)
            continue
        factor = factors[position]
        opened, high, low, close = (int((factor.price * price).to_integral_value()) for price in bar[1:5])
        adjusted.append(Bar(bar.date, opened, high, low, close, round(bar.volume * factor.volume)))
    return adjusted
