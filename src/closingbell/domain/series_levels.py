"""Prices on the wrong level: in another unit than their neighbours, or on the wrong side of a split."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from statistics import median

from closingbell.domain.bars import Bar

FIELDS = ("open", "high", "low", "close")

# A step of 60 to 166 between two closes is a hundred with a day's move in it.
_HUNDRED = (60.0, 166.0)
# Prices of one bar that differ by more than this are not all in one unit.
_MIXED = 20.0
# Without stored bars to go by, the unit of three quarters of the bars is the right one; less decides nothing.
_PREVAILING = 0.75
_REACH = 3

# Below 3:2 a missing restatement looks like an ordinary move.
_SMALLEST_SPLIT = 1.5
# How far a day's move may take a step from the split's ratio, in logarithms.
_SPLIT_WIDTH = 0.15
# Missing restatements lie close before the ex-date, or come back soon; a crash years before a split does neither.
_NEAR_SESSIONS = 10
_LONGEST_STRETCH = 30

# Of two answers about one session: within this they are one price.
_SAME_LEVEL = 0.03


def restated_closes(line: Sequence[Bar], splits: Mapping[date, Fraction]) -> list[float]:
    """The closes of ``line`` in the share units of its newest bar."""
    closes = [float(bar.close) for bar in line]
    for ex_date, ratio in splits.items():
        end, times = bisect_left(line, (ex_date,)), float(ratio)
        for i in range(end):
            closes[i] /= times
    return closes


def prices_of(bar: Bar) -> tuple[int, int, int, int]:
    """Open, high, low and close."""
    return bar.open, bar.high, bar.low, bar.close


def is_mixed(bar: Bar) -> bool:
    """Whether the four prices of a bar cannot all be in one unit."""
    prices = prices_of(bar)
    return max(prices) > _MIXED * min(prices)


def off_fields(line: Sequence[Bar], closes: Sequence[float], i: int) -> tuple[str, ...]:
    """The prices of a mixed bar that are 100 times, or a hundredth of, what the bars around it say."""
    bar = line[i]
    around = range(max(0, i - _REACH), min(len(line), i + _REACH + 1))
    levels = [closes[k] for k in around if k != i and line[k].low > 0 and not is_mixed(line[k])]
    # The bar's own close took part in the restating: its factor is that of all four prices.
    level = median(levels) * bar.close / closes[i] if levels else median(prices_of(bar))
    return tuple(name for name, price in zip(FIELDS, prices_of(bar), strict=True) if _hundreds(price / level))


def _hundreds(ratio: float) -> int:
    """1 where ``ratio`` is about a hundred, -1 where it is about a hundredth, else 0."""
    if _HUNDRED[0] < ratio < _HUNDRED[1]:
        return 1
    return -1 if ratio > 0 and _HUNDRED[0] < 1 / ratio < _HUNDRED[1] else 0


def unit_levels(closes: Sequence[float]) -> list[int]:
    """For every close how many hundreds it lies above the first one's unit."""
    levels = [0]
    for before, after in pairwise(closes):
        levels.append(levels[-1] + _hundreds(after / before))
    return levels


def right_level(levels: Sequence[int], trusted: Collection[int]) -> int | None:
    """The level of the trusted bars, else that of three quarters of all; None where neither decides."""
    if trusted:
        return Counter(levels[i] for i in trusted).most_common(1)[0][0]
    level, count = Counter(levels).most_common(1)[0]
    return level if count >= _PREVAILING * len(levels) else None


def wide_splits(splits: Mapping[date, Fraction]) -> dict[date, float]:
    """Splits whose missing restatement can be told from a day's move."""
    return {day: float(ratio) for day, ratio in splits.items() if max(ratio, 1 / ratio) >= _SMALLEST_SPLIT}


def unsplit_indexes(
    days: Sequence[date], closes: Sequence[float], splits: Mapping[date, float], payouts: Mapping[date, float]
) -> Iterator[int]:
    """Indexes of closes that were not restated for one of ``splits``, or were twice.

    ``closes`` are restated; ``payouts`` (same unit, of their own day) explain a fall on a split's own ex-date.
    """
    for ex_date, ratio in splits.items():
        end = bisect_left(days, ex_date)
        if 0 < end < len(days):
            after = closes[end] + payouts.get(days[end], 0.0)
            yield from _stretches(_offsets(closes[:end], after, ratio))


def _offsets(closes: Sequence[float], after: float, ratio: float) -> list[int]:
    """Walking back from an ex-date: how often each close, counted in steps of ``ratio``, is off; newest first."""
    width = min(_SPLIT_WIDTH, abs(math.log(ratio)) / 4)
    step, offset, offsets = math.log(ratio), 0, []
    for close in reversed(closes):
        move = math.log(close / after)
        offset += (abs(move - step) <= width) - (abs(move + step) <= width)
        offsets.append(offset)
        after = close
    return offsets


def _stretches(offsets: Sequence[int]) -> Iterator[int]:
    """Indexes (oldest first) of stretches that are off and lie near the ex-date or come back soon."""
    count, start = len(offsets), 0
    while start < count:
        if not offsets[start]:
            start += 1
            continue
        end = next((k for k in range(start, count) if not offsets[k]), count)
        if start <= _NEAR_SESSIONS or (end < count and end - start <= _LONGEST_STRETCH):
            yield from (count - 1 - k for k in range(start, end))
        start = end


def against_stored(answered: int, stored: int, splits: Mapping[date, float]) -> str | None:
    """The rule that a close breaks against the stored one of the same session, if a known factor lies between."""
    ratio = answered / stored
    factors = [("times_100", 100.0), *(("unsplit", split) for split in splits.values())]
    for rule, factor in factors:
        if abs(ratio / factor - 1) <= _SAME_LEVEL or abs(ratio * factor - 1) <= _SAME_LEVEL:
            return rule
    return None
