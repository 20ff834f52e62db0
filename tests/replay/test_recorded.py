"""The recorded market against facts from elsewhere."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import exchange_calendars
import pytest

from closingbell.replay import recorded
from closingbell.replay.market import Dividend, Split
from closingbell.replay.recorded import RecordedMarket
from closingbell.replay.sessions import NEW_YORK_EARLY_CLOSES


@pytest.fixture(scope="module")
def new_york() -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar("XNYS", start="2000-03-01", end="2013-03-01")


def test_derived_events_equal_the_known_ones(market: RecordedMarket, shared_data: Path) -> None:
    table = shared_data / "corporate_actions" / "bokeh_stocks_derived_events.csv"
    with table.open(newline="") as file:
        known = {(row["symbol"], row["ex_date"], row["type"], float(row["value"])) for row in csv.DictReader(file)}
    derived = {
        (listing.symbol, one.ex_date.isoformat(), "DIVIDEND", float(one.amount))
        for listing in market.listings
        for one in listing.dividends
    } | {
        (listing.symbol, one.ex_date.isoformat(), "SPLIT", float(one.ratio))
        for listing in market.listings
        for one in listing.splits
    }
    assert derived == known
    assert len(derived) == 95


def test_there_are_three_splits(market: RecordedMarket) -> None:
    assert {one.symbol: list(one.splits) for one in market.listings} == {
        "AAPL": [Split(date(2000, 6, 21), 2), Split(date(2005, 2, 28), 2)],
        "FB": [],
        "GOOG": [],
        "IBM": [],
        "MSFT": [Split(date(2003, 2, 18), 2)],
    }


def test_there_are_ninety_two_dividends_of_exact_amounts(market: RecordedMarket) -> None:
    assert [len(one.dividends) for one in market.listings] == [3, 0, 0, 52, 37]
    microsoft = {one.ex_date: one.amount for one in market.listings[4].dividends}
    assert microsoft[date(2004, 11, 15)] == Decimal("3.08")
    assert market.listings[0].dividends[1] == Dividend(date(2012, 11, 7), Decimal("2.65"), pay_date=date(2012, 11, 15))
    international = {one.ex_date: (str(one.amount), one.pay_date) for one in market.listings[3].dividends}
    assert international[date(2012, 11, 7)] == ("0.85", date(2012, 12, 10))


def test_sessions_are_the_exchange_calendars(
    market: RecordedMarket, new_york: exchange_calendars.ExchangeCalendar
) -> None:
    sessions = [day.date() for day in new_york.sessions]
    assert len(sessions) == 3270
    for listing in market.listings:
        assert listing.dates == [day for day in sessions if day >= listing.dates[0]]


def test_early_closes_are_the_exchange_calendars(new_york: exchange_calendars.ExchangeCalendar) -> None:
    assert list(NEW_YORK_EARLY_CLOSES) == [day.date() for day in new_york.early_closes]


def test_opening_hours_are_the_exchange_calendars(
    market: RecordedMarket, new_york: exchange_calendars.ExchangeCalendar
) -> None:
    apple = market.listings[0]
    schedule = new_york.schedule
    assert apple.opens == [int(at.timestamp()) for at in schedule["open"]]
    assert [apple.hours.closes_at(day) for day in apple.dates] == [int(at.timestamp()) for at in schedule["close"]]


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "find_spec", lambda _: None)
    with pytest.raises(recorded.SettingsError, match=r'pip install "closingbell\[demo\]"'):
        recorded.data_file()
