"""Minutes made from a day add up to the day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from closingbell.replay.market import Bar
from closingbell.replay.minutes import MinuteBar, combine, minute_bars, minutes_until

RISING = Bar(date(2012, 11, 30), Decimal("10"), Decimal("14"), Decimal("8"), Decimal("12"), 1000)


@st.composite
def daily_bars(draw: st.DrawFn) -> Bar:
    places = draw(st.integers(0, 6))
    prices = sorted(draw(st.lists(st.integers(1, 10**9), min_size=4, max_size=4)))
    low, first, second, high = (Decimal(price).scaleb(-places) for price in prices)
    opened, closed = draw(st.permutations([first, second]))
    return Bar(date(2012, 11, 30), opened, high, low, closed, draw(st.integers(0, 10**12)))


@settings(max_examples=150, deadline=None)
@given(daily_bars(), st.sampled_from([1, 2, 3, 4, 7, 210, 390, 510]))
def test_minutes_add_up_to_their_day_exactly(bar: Bar, count: int) -> None:
    minutes = minute_bars(bar, count)
    assert [one.offset_s for one in minutes] == list(range(0, count * 60, 60))
    assert combine(minutes) == (0, bar.open, bar.high, bar.low, bar.close, bar.volume)
    assert all(one.low <= min(one.open, one.close) for one in minutes)
    assert all(one.high >= max(one.open, one.close) for one in minutes)
    assert all(one.volume >= 0 for one in minutes)


def test_rising_day_goes_to_its_low_first() -> None:
    minutes = minute_bars(RISING, 8)
    assert [one.close for one in minutes] == [
        Decimal(price) for price in ("9.00", "8.00", "10.00", "12.00", "14.00", "13.33", "12.66", "12.00")
    ]


def test_volume_is_heavier_at_both_ends() -> None:
    volumes = [one.volume for one in minute_bars(RISING, 8)]
    assert sum(volumes) == 1000
    assert volumes[0] > volumes[3] < volumes[7]


def test_of_the_running_minute_only_the_open_is_known() -> None:
    begun = minutes_until(minute_bars(RISING, 8), 90)
    nine = Decimal("9.00")
    assert len(begun) == 2
    assert begun[-1] == MinuteBar(60, nine, nine, nine, nine, 0)


def test_before_the_opening_there_are_no_minutes() -> None:
    assert minutes_until(minute_bars(RISING, 8), -1) == []
