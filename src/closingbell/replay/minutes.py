"""Minute bars, made up from a daily bar by a fixed rule.

Nobody recorded these minutes. The price walks in straight lines from the open to one extreme, on to
the other, and to the close: low first on a rising day, high first on a falling one, the extremes
after a quarter and five eighths of the session. Volume is heavier near the open and the close.
The minutes of a day add up to its bar exactly: first open, last close, highest high, lowest low,
sum of volume. The same daily bar always gives the same minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from closingbell.replay.market import Bar


class MinuteBar(NamedTuple):
    """One minute of a session; ``offset_s`` counts from the opening."""

    offset_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@lru_cache(maxsize=512)
def minute_bars(bar: Bar, count: int) -> tuple[MinuteBar, ...]:
    """The ``count`` minutes of a session whose daily bar is ``bar``."""
    first, second = count // 4, max(count // 4, count * 5 // 8)
    is_rising = bar.close >= bar.open
    knots = [(0, bar.open), (first, bar.low), (second, bar.high), (count, bar.close)]
    if not is_rising:
        knots[1], knots[2] = (first, bar.high), (second, bar.low)
    low_at, high_at = (first, second) if is_rising else (second, first)
    path = _path(knots, _places(bar))
    made = []
    for number, (volume, (opened, closed)) in enumerate(zip(_volumes(bar.volume, count), pairwise(path), strict=True)):
        high, low = max(opened, closed), min(opened, closed)
        # A session of a few minutes may have no knot of its own for an extreme.
        high = bar.high if number == min(high_at, count - 1) else high
        low = bar.low if number == min(low_at, count - 1) else low
        made.append(MinuteBar(number * 60, opened, high, low, closed, volume))
    return tuple(made)


def minutes_until(minutes: Sequence[MinuteBar], elapsed_s: int) -> list[MinuteBar]:
    """The minutes begun ``elapsed_s`` after the opening; of the running one only its open is known."""
    if elapsed_s < 0:
        return []
    begun = list(minutes[: elapsed_s // 60 + 1])
    if begun and elapsed_s < begun[-1].offset_s + 60:
        last = begun[-1]
        begun[-1] = MinuteBar(last.offset_s, last.open, last.open, last.open, last.open, 0)
    return begun


def combine(minutes: Sequence[MinuteBar]) -> MinuteBar:
    """One bar over consecutive minutes."""
    return MinuteBar(
        minutes[0].offset_s,
        minutes[0].open,
        max(one.high for one in minutes),
        min(one.low for one in minutes),
        minutes[-1].close,
        sum(one.volume for one in minutes),
    )


def _places(bar: Bar) -> int:
    """Decimals the minutes are rounded to: the day's own, two at least."""
    exponents = (price.as_tuple().exponent for price in (bar.open, bar.high, bar.low, bar.close))
    return max(2, *(-exponent for exponent in exponents if isinstance(exponent, int)))


def _path(knots: Sequence[tuple[int, Decimal]], places: int) -> list[Decimal]:
    """Prices at every minute's edge, straight between the knots."""
    unit = 10**places
    scaled = [(at, int(price * unit)) for at, price in knots]
    path: list[int] = []
    for (start, from_price), (end, to_price) in pairwise(scaled):
        length = end - start
        path.extend(from_price + (to_price - from_price) * step // length for step in range(length))
    path.append(scaled[-1][1])
    path[0] = scaled[0][1]
    return [Decimal(price).scaleb(-places) for price in path]


def _volumes(total: int, count: int) -> list[int]:
    """``total`` cut into ``count`` parts that sum to it exactly."""
    shares = _cumulative_weights(count)
    return [total * upto // shares[-1] - total * before // shares[-1] for before, upto in pairwise(shares)]


@lru_cache(maxsize=16)
def _cumulative_weights(count: int) -> tuple[int, ...]:
    weights = (count * count + 3 * (2 * minute + 1 - count) ** 2 for minute in range(count))
    return tuple(accumulate(weights, initial=0))
