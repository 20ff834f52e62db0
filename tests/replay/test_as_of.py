"""What is served at an instant: restated, live, and nothing after now."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal

import pytest

from closingbell.replay.as_of import AsOf
from closingbell.replay.market import CapitalGain, Dividend, Listing, Split
from closingbell.replay.recorded import RecordedMarket
from closingbell.replay.sessions import Hours

from .support import bar, seconds


def at(market: RecordedMarket, symbol: str, now: str) -> AsOf:
    listing = market.find(symbol)
    assert listing is not None
    return AsOf(listing, seconds(now))


def served(view: AsOf, day: str) -> tuple[float, float, float, float, int] | None:
    """Open, high, low, close and volume of a day, or None."""
    index = view.listing.dates.index(date.fromisoformat(day))
    bars = view.bars(index, index + 1)
    return (bars[0].open, bars[0].high, bars[0].low, bars[0].close, bars[0].volume) if bars else None


@pytest.mark.parametrize("now", ["2005-02-25T17:00-05:00", "2005-02-28T09:29:59-05:00"])
def test_before_the_split_prices_are_as_traded(market: RecordedMarket, now: str) -> None:
    assert served(at(market, "AAPL", now), "2005-02-25") == (
        89.62000274658203,
        89.91000366210938,
        88.19000244140625,
        88.98999786376953,
        16348400,
    )


@pytest.mark.parametrize("now", ["2005-02-28T09:30:00-05:00", "2012-11-30T16:31-05:00"])
def test_after_the_split_history_is_halved_and_volume_doubled(market: RecordedMarket, now: str) -> None:
    assert served(at(market, "AAPL", now), "2005-02-25") == (
        44.810001373291016,
        44.95500183105469,
        44.095001220703125,
        44.494998931884766,
        32696800,
    )


def test_two_splits_multiply(market: RecordedMarket) -> None:
    view = at(market, "AAPL", "2012-11-30T16:31-05:00")
    assert served(view, "2000-06-20") == (24.625, 25.985000610351562, 24.592500686645508, 25.3125, 17906800)


def test_split_is_an_event_from_its_opening_on(market: RecordedMarket) -> None:
    ex_at = seconds("2005-02-28T09:30-05:00")
    since = seconds("2005-01-01T00:00-05:00")
    assert at(market, "AAPL", "2005-02-28T09:29:59-05:00").splits(since, ex_at + 1) == []
    assert at(market, "AAPL", "2005-02-28T09:30:00-05:00").splits(since, ex_at + 1) == [(ex_at, 2)]


def test_dividends_before_a_split_are_restated(market: RecordedMarket) -> None:
    listing = Listing(
        symbol="X",
        bars=[bar("2012-11-05", 100), bar("2012-11-06", 100), bar("2012-11-07", 30)],
        dividends=[Dividend(date(2012, 11, 6), Decimal("1.00"))],
        splits=[Split(date(2012, 11, 7), 3)],
    )
    view = AsOf(listing, seconds("2012-11-07T17:00-05:00"))
    assert [amount for _, amount, _ in view.dividends(0, view.now_s)] == [0.333333]


def test_adjusted_close_follows_yahoos_rule(market: RecordedMarket) -> None:
    # 2.65 on 2012-11-07 after a close of 582.8495: 582.8495 * (1 - 2.65 / 582.8495) = 580.1995
    view = at(market, "AAPL", "2012-11-30T16:31-05:00")
    index = view.listing.dates.index(date(2012, 11, 6))
    before, ex_day = view.bars(index, index + 2)
    assert (before.close, before.adjusted_close) == (582.8494873046875, 580.1995239257812)
    assert ex_day.adjusted_close == ex_day.close == 558.0018920898438


def test_reverse_split_and_capital_gain_of_a_fund() -> None:
    listing = Listing(
        symbol="FUND",
        instrument_type="MUTUALFUND",
        bars=[bar("2012-11-05", 10), bar("2012-11-06", 100), bar("2012-11-07", 90)],
        splits=[Split(date(2012, 11, 6), 1, 10)],
        capital_gains=[CapitalGain(date(2012, 11, 7), Decimal("10"))],
    )
    view = AsOf(listing, seconds("2012-11-07T17:00-05:00"))
    first, second, _ = view.bars(0, 3)
    assert (first.close, first.volume, first.adjusted_close) == (100.0, 100, 90.0)
    assert (second.close, second.volume, second.adjusted_close) == (100.0, 1000, 90.0)
    assert [amount for _, amount in view.capital_gains(0, view.now_s)] == [10.0]


def test_before_the_opening_there_is_no_bar_of_today(market: RecordedMarket) -> None:
    assert served(at(market, "AAPL", "2012-11-29T09:29:59-05:00"), "2012-11-29") is None


def test_at_the_opening_only_the_open_is_known(market: RecordedMarket) -> None:
    opened = 590.2150268554688
    bar = served(at(market, "AAPL", "2012-11-29T09:30:00-05:00"), "2012-11-29")
    assert bar == (opened, opened, opened, opened, 0)


def test_live_bar_is_the_minutes_so_far(market: RecordedMarket) -> None:
    view = at(market, "AAPL", "2012-11-29T12:00:30-05:00")
    index = view.listing.dates.index(date(2012, 11, 29))
    (live,) = view.bars(index, index + 1)
    minutes = list(view.served_minutes(index, 1))
    assert len(minutes) == 151
    assert (live.open, live.close) == (minutes[0].open, minutes[-1].close)
    assert (live.high, live.low) == (max(m.high for m in minutes), min(m.low for m in minutes))
    assert 0 < live.volume == sum(m.volume for m in minutes) < 18382100
    assert live.at == view.now_s == max(view.now_s, minutes[-1].at)


def test_at_the_close_the_bar_is_complete(market: RecordedMarket) -> None:
    view = at(market, "AAPL", "2012-11-29T16:00:00-05:00")
    assert served(view, "2012-11-29") == (590.2150268554688, 594.25, 585.25, 589.3599853515625, 18382100)
    assert view.market_time == view.now_s


def test_finished_session_is_stamped_with_the_last_trade_until_midnight(market: RecordedMarket) -> None:
    closed, opened = seconds("2012-11-29T16:00:01-05:00"), seconds("2012-11-29T09:30-05:00")
    for now, stamp in (("2012-11-29T23:59-05:00", closed), ("2012-11-30T00:00-05:00", opened)):
        view = at(market, "AAPL", now)
        assert view.bars(view.started - 1, view.started)[0].at == stamp


def test_half_day_has_two_hundred_and_ten_minutes(market: RecordedMarket) -> None:
    view = at(market, "AAPL", "2012-11-23T13:00:01-05:00")
    minutes = list(view.served_minutes(view.started - 1, 1))
    assert not view.is_running
    assert len(minutes) == 210
    assert minutes[-1].at == seconds("2012-11-23T12:59-05:00")
    assert sum(one.volume for one in minutes) == 9743800


def test_storm_closed_two_days(market: RecordedMarket) -> None:
    view = at(market, "AAPL", "2012-10-31T17:00-04:00")
    days = [view.listing.dates[index].isoformat() for index in range(view.started - 3, view.started)]
    assert days == ["2012-10-25", "2012-10-26", "2012-10-31"]


def test_listing_is_unknown_before_its_first_session(market: RecordedMarket) -> None:
    assert not at(market, "FB", "2012-05-17T17:00-04:00").is_listed
    assert at(market, "FB", "2012-05-18T09:30-04:00").is_listed


def test_other_exchanges_keep_their_own_hours() -> None:
    tokyo = Hours(timezone="Asia/Tokyo", open=time(9, 0), close=time(15, 0))
    listing = Listing(symbol="7203.T", currency="JPY", bars=[bar("2012-11-30", 3500)], hours=tokyo)
    assert not AsOf(listing, seconds("2012-11-30T08:59+09:00")).is_listed
    assert not AsOf(listing, seconds("2012-11-30T15:00+09:00")).is_running
