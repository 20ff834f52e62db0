"""The newest bar of every company, and the bars of one, as traded and adjusted."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from closingbell.errors import UnknownSymbolError
from closingbell.queries.bars import LatestBar, load_latest_bars, load_series
from tests.app_fixtures import House


def test_newest_bar_of_each_company_follows_the_runs(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-26")
    assert load_latest_bars(house.context.database) == []
    house.run()

    fetched = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
    friday = date(2012, 11, 30)
    assert load_latest_bars(house.context.database) == [
        LatestBar("AAPL", friday, Decimal("585.28"), "USD", True, "yahoo", fetched),
        LatestBar("IBM", friday, Decimal("190.07"), "USD", True, "yahoo", fetched),
    ]
    house.at("2012-12-03 16:31").run()
    assert [(one.symbol, str(one.date)) for one in load_latest_bars(house.context.database)] == [
        ("AAPL", "2012-12-03"),
        ("IBM", "2012-12-03"),
    ]


def test_older_history_leaves_the_newest_bar_alone(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()
    before = load_latest_bars(house.context.database)

    house.orders("2012-09-04,BUY,AAPL,10,1.00,0,USD")
    house.run()

    assert load_latest_bars(house.context.database) == before
    assert len(house.bars("AAPL")) == 61


def test_price_of_a_running_session_is_the_newest(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.at("2012-11-29 16:31").run()
    house.at("2012-11-30 11:15").command("run-intraday-refresh", "--symbols", "AAPL")

    [apple] = load_latest_bars(house.context.database)

    assert (apple.date, apple.is_provisional) == (date(2012, 11, 30), True)
    assert apple.fetched_at == datetime(2012, 11, 30, 16, 15, tzinfo=UTC)


def test_latest_command(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-26")
    assert house.command("latest").stdout == "no price is stored yet\n"
    house.run()

    result = house.command("latest", "--symbols", "ibm")

    assert result.stdout.splitlines() == [
        "symbol  date        close   currency  state        provider  fetched",
        "IBM     2012-11-30  190.07  USD       provisional  yahoo     2012-11-30 16:31:00 EST",
    ]
    assert json.loads(house.command("latest", "--format", "json").stdout)[0] == {
        "symbol": "AAPL",
        "date": "2012-11-30",
        "close": "585.28",
        "currency": "USD",
        "is_provisional": True,
        "provider": "yahoo",
        "fetched_at": "2012-11-30T21:31:00+00:00",
    }
    unknown = house.command("latest", "--symbols", "NOPE")
    assert (unknown.exit_code, unknown.stderr) == (2, "error: no company of that symbol is known here: NOPE\n")


def test_bars_of_a_company_as_traded_and_adjusted(house: House) -> None:
    # Apple's dividend of 2012-11-07 was 2.65 a share; the close before was 582.8495.
    house.hold("AAPL", since="2012-11-05")
    house.run()

    traded = load_series(house.context.database, "AAPL", last=date(2012, 11, 7))
    adjusted = load_series(house.context.database, "AAPL", last=date(2012, 11, 7), adjusted=True)

    assert [(str(bar.date), str(bar.close.normalize())) for bar in traded.bars] == [
        ("2012-11-05", "584.6211"),
        ("2012-11-06", "582.8495"),
        ("2012-11-07", "558.0019"),
    ]
    # 584.6211 x (1 - 2.65 / 582.8495), 582.8495 - 2.65, and the ex-date's own close.
    assert [str(bar.close) for bar in adjusted.bars] == ["581.963045", "580.199500", "558.001900"]
    assert (traded.is_adjusted, adjusted.is_adjusted, traded.currency) == (False, True, "USD")
    assert [bar.is_provisional for bar in traded.bars] == [False] * 3
    assert [bar.volume for bar in adjusted.bars] == [bar.volume for bar in traded.bars]


def test_prices_before_a_split_are_adjusted_also_when_it_lies_after_the_range(house: House) -> None:
    # Apple split 2:1 on 2005-02-28; the close before was 88.99.
    house.at("2005-03-04 16:31").hold("AAPL", since="2005-02-22")
    house.run()

    [friday] = load_series(
        house.context.database, "AAPL", first=date(2005, 2, 25), last=date(2005, 2, 25), adjusted=True
    ).bars
    [as_traded] = load_series(house.context.database, "AAPL", first=date(2005, 2, 25), last=date(2005, 2, 25)).bars

    assert (str(as_traded.close), str(friday.close)) == ("88.990000", "44.495000")
    assert friday.volume == 2 * as_traded.volume


def test_bars_of_an_unknown_company(house: House) -> None:
    with pytest.raises(UnknownSymbolError, match="NOPE"):
        load_series(house.context.database, "NOPE")
