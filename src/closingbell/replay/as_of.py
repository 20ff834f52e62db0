"""A listing as it was known at one instant: restated for every split so far, nothing after now.

Yahoo restates: a served price is the traded one divided by all later splits, volumes multiplied,
dividends divided likewise and given with six decimals. A split or dividend takes effect when the
session of its ex-date opens. Prices are 32-bit floats widened to doubles, as they come over the wire.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple

from closingbell.replay.market import Dividend, Listing
from closingbell.replay.minutes import MinuteBar, combine, minute_bars, minutes_until

_FIVE_FLOATS = struct.Struct("<5f")
YEAR_DAYS = 365


class ServedBar(NamedTuple):
    """A bar as it goes over the wire; ``at`` is its timestamp, ``opens_at`` where it belongs."""

    opens_at: int
    at: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    adjusted_close: float


class Snapshot(NamedTuple):
    """The latest session as a quote shows it; prices restated but not narrowed to 32 bits."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    previous_close: float | None


class AsOf:
    """A listing at ``now_s`` (UTC seconds). ``is_split_known`` False forgets the newest split."""

    def __init__(self, listing: Listing, now_s: int, *, is_split_known: bool = True) -> None:
        self.listing = listing
        self.now_s = now_s
        self.started = bisect_right(listing.opens, now_s)
        self.today = listing.hours.local_date(now_s)
        self._splits_known = bisect_right(_split_opens(listing), now_s) - (not is_split_known)
        self._splits_known = max(0, self._splits_known)

    @property
    def is_listed(self) -> bool:
        """Whether any session of the listing has begun."""
        return self.started > 0

    @cached_property
    def closes_at(self) -> int:
        """Close of the latest session begun."""
        return self.listing.hours.closes_at(self.listing.dates[self.started - 1])

    @cached_property
    def is_running(self) -> bool:
        """Whether the latest session is still open."""
        return self.now_s < self.closes_at

    @cached_property
    def market_time(self) -> int:
        """Time of the last trade: now in the session, a second after the close later."""
        return min(self.now_s, self.closes_at + 1)

    @property
    def state(self) -> tuple[int, int]:
        """Two instants of the same state are served the same answers."""
        return self.started, self.now_s if self.is_running else self.today.toordinal()

    def bars(self, first: int, until: int) -> list[ServedBar]:
        """The daily bars of sessions ``first`` up to but without ``until``."""
        return [self._serve(index) for index in range(first, min(until, self.started))]

    def minutes(self, index: int) -> list[MinuteBar]:
        """The minutes begun of one session, volume restated, prices still as traded."""
        listing, bar = self.listing, self.listing.bars[index]
        opened = listing.opens[index]
        count = (listing.hours.closes_at(bar.date) - opened) // 60
        made = minute_bars(replace(bar, volume=self._volume(index)), count)
        return minutes_until(made, self.now_s - opened)

    def served_minutes(self, index: int, step: int) -> Iterator[ServedBar]:
        """One session in bars of ``step`` minutes."""
        minutes, opened = self.minutes(index), self.listing.opens[index]
        for start in range(0, len(minutes), step):
            bar = combine(minutes[start : start + step])
            at = opened + bar.offset_s
            yield self._narrow(bar, index, (at, at), bar.volume)

    def dividends(self, first_at: int, until: int) -> list[tuple[int, float, Dividend]]:
        """Dividends gone ex in the window, restated: (instant, amount, dividend)."""
        listing = self.listing
        dated = ((listing.hours.opens_at(one.ex_date), one) for one in listing.dividends)
        return [
            (at, round(float(one.amount) / self._factor_on(one.ex_date), 6), one)
            for at, one in dated
            if first_at <= at < until and at <= self.now_s
        ]

    def capital_gains(self, first_at: int, until: int) -> list[tuple[int, float]]:
        """Capital gains gone ex in the window, restated: (instant, amount)."""
        listing = self.listing
        dated = ((listing.hours.opens_at(one.ex_date), one) for one in listing.capital_gains)
        return [
            (at, round(float(one.amount) / self._factor_on(one.ex_date), 6))
            for at, one in dated
            if first_at <= at < until and at <= self.now_s
        ]

    def splits(self, first_at: int, until: int) -> list[tuple[int, Fraction]]:
        """Splits in effect in the window: (instant, ratio)."""
        known = self.listing.splits[: self._splits_known]
        dated = ((self.listing.hours.opens_at(one.ex_date), one.ratio) for one in known)
        return [(at, ratio) for at, ratio in dated if first_at <= at < until]

    def event_window(self, first_at: int, until: int) -> tuple[int, int]:
        """Which events of the listing a window covers, as positions among all of them."""
        instants = _event_opens(self.listing)
        return bisect_left(instants, first_at), bisect_left(instants, min(until, self.now_s + 1))

    @cached_property
    def snapshot(self) -> Snapshot:
        """The latest session begun, live while it runs."""
        index = self.started - 1
        bar, factor = self._day(index), self._factor(index)
        opened, high, low, close = (
            round(float(price) / factor, 6) for price in (bar.open, bar.high, bar.low, bar.close)
        )
        return Snapshot(self.market_time, opened, high, low, close, bar.volume, self.previous_close(index))

    def previous_close(self, index: int) -> float | None:
        """Close of the session before number ``index``; None before the first."""
        if index <= 0:
            return None
        return round(float(self.listing.bars[index - 1].close) / self._factor(index - 1), 6)

    def year_range(self) -> tuple[float, float]:
        """Lowest low and highest high of the last 52 weeks."""
        low, high = _finished_year(self.listing, self.started - 1, self._splits_known)
        return min(low, self.snapshot.low), max(high, self.snapshot.high)

    def _day(self, index: int) -> MinuteBar:
        """The day's bar as far as it has gone, prices as traded, volume restated."""
        bar = self.listing.bars[index]
        if index == self.started - 1 and self.is_running:
            return combine(self.minutes(index))
        return MinuteBar(0, bar.open, bar.high, bar.low, bar.close, self._volume(index))

    def _serve(self, index: int) -> ServedBar:
        opened = self.listing.opens[index]
        day = self._day(index)
        return self._narrow(day, index, (opened, self._stamp(index)), day.volume)

    def _stamp(self, index: int) -> int:
        """Yahoo stamps the latest bar with the last trade's time until the day is over."""
        is_todays = index == self.started - 1 and self.listing.dates[index] == self.today
        return self.market_time if is_todays else self.listing.opens[index]

    def _narrow(self, bar: MinuteBar, index: int, at: tuple[int, int], volume: int) -> ServedBar:
        factor = self._factor(index)
        opened, high, low, close = (float(price) / factor for price in (bar.open, bar.high, bar.low, bar.close))
        adjusted = close * self._payout_factor(index)
        opened, high, low, close, adjusted = _FIVE_FLOATS.unpack(_FIVE_FLOATS.pack(opened, high, low, close, adjusted))
        return ServedBar(*at, opened, high, low, close, volume, adjusted)

    def _volume(self, index: int) -> int:
        ratio = self._ratio(self.listing.dates[index])
        return int(self.listing.bars[index].volume * ratio)

    def _factor(self, index: int) -> float:
        return self._factor_on(self.listing.dates[index])

    def _factor_on(self, day: date) -> float:
        return float(self._ratio(day)) if self._splits_known else 1.0

    def _ratio(self, day: date) -> Fraction:
        """Product of the splits after ``day`` that are in effect."""
        dates, products = _split_products(self.listing)
        before = min(bisect_right(dates, day), self._splits_known)
        return products[self._splits_known] / products[before]

    def _payout_factor(self, index: int) -> float:
        """What dividends after a session, gone ex by now, leave of its close."""
        dates, products = _payout_products(self.listing)
        before = bisect_right(dates, self.listing.dates[index])
        known = bisect_right(dates, self.listing.dates[self.started - 1])
        return products[known] / products[before] if known > before else 1.0


@lru_cache(maxsize=4096)
def _split_opens(listing: Listing) -> list[int]:
    return [listing.hours.opens_at(one.ex_date) for one in listing.splits]


@lru_cache(maxsize=4096)
def _event_opens(listing: Listing) -> list[int]:
    """Opening instants of every ex-date, ascending."""
    days = {day for day, _ in listing.payouts} | {one.ex_date for one in listing.splits}
    return sorted(listing.hours.opens_at(day) for day in days)


@lru_cache(maxsize=4096)
def _split_products(listing: Listing) -> tuple[list[date], list[Fraction]]:
    ratios = (one.ratio for one in listing.splits)
    products = accumulate(ratios, lambda left, right: left * right, initial=Fraction(1))
    return [one.ex_date for one in listing.splits], list(products)


@lru_cache(maxsize=4096)
def _payout_products(listing: Listing) -> tuple[list[date], list[float]]:
    """Ex-dates, and running products of Yahoo's ``1 - amount / previous close``."""
    kept = [1.0]
    for day, amount in listing.payouts:
        kept.append(kept[-1] * (1 - float(amount) / _close_before(listing, day)))
    return [day for day, _ in listing.payouts], kept


def _close_before(listing: Listing, day: date) -> float:
    """The close before an ex-date, in the shares of that ex-date."""
    index = bisect_left(listing.dates, day) - 1
    if index < 0:
        return float("inf")
    splits_since = (one.ratio for one in listing.splits if listing.dates[index] < one.ex_date <= day)
    close = float(listing.bars[index].close)
    for ratio in splits_since:
        close /= float(ratio)
    return close


def _finished_year(listing: Listing, until: int, splits_known: int) -> tuple[float, float]:
    """Low and high of the year of sessions before number ``until``, restated for some splits."""
    first = _year_before(listing.dates, until)
    lows, highs = _extremes(listing, splits_known)
    return min(lows[first:until], default=float("inf")), max(highs[first:until], default=0.0)


@lru_cache(maxsize=256)
def _extremes(listing: Listing, splits_known: int) -> tuple[list[float], list[float]]:
    """Every session's low and high, restated for the first splits; later sessions are as traded."""
    dates, products = _split_products(listing)
    lows, highs = [], []
    for bar in listing.bars:
        before = min(bisect_right(dates, bar.date), splits_known)
        factor = float(products[splits_known] / products[before]) if splits_known > before else 1.0
        lows.append(round(float(bar.low) / factor, 6))
        highs.append(round(float(bar.high) / factor, 6))
    return lows, highs


def _year_before(dates: Sequence[date], index: int) -> int:
    start = dates[index].toordinal() - YEAR_DAYS
    return bisect_left(dates, date.fromordinal(start)) if start > 0 else 0
